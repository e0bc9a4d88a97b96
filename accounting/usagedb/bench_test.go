package usagedb

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/pgtest"
)

// traffic makes up what 1,000 users in 20 teams spend on 20 models for 10 features and 50 projects, all as likely as each other,
// which is the worst case for roll-ups: n attempts that are spread evenly over 90 days.
type traffic struct {
	n, next int
	random  *rand.Rand
	users   [1000]string
	models  [20]string
}

const (
	trafficDays  = 90
	trafficUsers = 1000
)

var trafficStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newTraffic(n int) *traffic {
	t := &traffic{n: n, random: rand.New(rand.NewPCG(1, 1))}
	for i := range t.users {
		t.users[i] = fmt.Sprintf("user-%04d@example.com", i)
	}
	for i := range t.models {
		t.models[i] = fmt.Sprintf("model-%02d", i)
	}
	return t
}

var (
	trafficFeatures  = [...]string{"chat", "search", "review", "agent", "mail", "code", "sql", "docs", "tests", "ops"}
	trafficProviders = [...]string{"openai", "anthropic", "gemini", "bedrock", "azure"}
)

func (t *traffic) batch(dst []accounting.Entry, size int) []accounting.Entry {
	r := t.random
	for range size {
		at := trafficStart.Add(time.Duration(float64(t.next) / float64(t.n) * trafficDays * 24 * float64(time.Hour)))
		var id [16]byte
		binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16|0x7000|uint64(t.next)&0xfff)
		binary.BigEndian.PutUint64(id[8:], 1<<63|uint64(t.next)<<20|r.Uint64N(1<<20))
		user, model := r.IntN(trafficUsers), r.IntN(len(t.models))
		e := accounting.Entry{
			AttemptID: formatID(id[:]), RequestID: formatID(id[:]), Attempt: 1, Time: at,
			Key: t.users[user][:9], User: t.users[user], Team: "team-" + strconv.Itoa(user%20),
			Tags:     map[string]string{feature: trafficFeatures[r.IntN(10)], "project": "project-" + strconv.Itoa(r.IntN(50))},
			Provider: trafficProviders[model%5], Dialect: "chat", Model: t.models[model], UpstreamModel: t.models[model],
			AnsweredModel: t.models[model], ProviderRequestID: "req_" + strconv.FormatUint(r.Uint64(), 36),
			Usage:     accounting.Usage{Input: r.Int64N(20000), CacheRead: r.Int64N(50000), Output: r.Int64N(2000), Reasoning: r.Int64N(1000)},
			Certainty: accounting.Reported, Cost: accounting.Money(r.Int64N(1e8)), Priced: true, PriceVersion: "2026-01-01",
			Status: 200, Stream: true, Latency: time.Duration(r.Int64N(20e9)), TimeToFirstToken: time.Duration(r.Int64N(2e9)),
		}
		if r.IntN(50) == 0 {
			e.Status, e.ErrorClass, e.Certainty, e.Usage, e.Cost = 429, "rate", accounting.Void, accounting.Usage{}, 0
		}
		t.next++
		dst = append(dst, e)
	}
	return dst
}

func eachDatabase(b *testing.B, bench func(b *testing.B, open func(testing.TB) *DB)) {
	b.Run("sqlite", func(b *testing.B) { bench(b, openSQLite) })
	b.Run("postgres", func(b *testing.B) { bench(b, openPostgres) })
}

// cpu is what this process used so far. A server's share is not in it.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkInsert counts the roll-ups in: every row is folded before the end.
func BenchmarkInsert(b *testing.B) {
	eachDatabase(b, func(b *testing.B, open func(testing.TB) *DB) {
		for _, size := range []int{1, 64, 512} {
			b.Run(strconv.Itoa(size), func(b *testing.B) {
				d, t := open(b), newTraffic(10_000_000)
				var batch []accounting.Entry
				rows := 0
				var used, spent time.Duration
				for b.Loop() {
					batch = t.batch(batch[:0], size)
					start, before := time.Now(), cpu(b)
					insert(b, d, batch...)
					spent, used = spent+time.Since(start), used+cpu(b)-before
					rows += size
				}
				start, before := time.Now(), cpu(b)
				fold(b, d)
				spent, used = spent+time.Since(start), used+cpu(b)-before
				b.ReportMetric(float64(rows)/spent.Seconds(), "rows/s")
				b.ReportMetric(float64(used.Microseconds())/float64(rows), "cpu-µs/row")
			})
		}
	})
}

// BenchmarkSums asks a database of LLMGATEWAY_USAGEDB_ROWS rows, 100,000 by default. SQLite's is kept in the folder
// LLMGATEWAY_USAGEDB_DIR, so that it is made only once, and PostgreSQL's in the empty database LLMGATEWAY_USAGEDB_POSTGRES.
func BenchmarkSums(b *testing.B) {
	n := 100_000
	if s := os.Getenv("LLMGATEWAY_USAGEDB_ROWS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("sqlite", func(b *testing.B) {
		folder := os.Getenv("LLMGATEWAY_USAGEDB_DIR")
		if folder == "" {
			folder = b.TempDir()
		}
		benchSums(b, openFile(b, filepath.Join(folder, fmt.Sprintf("usage-%d.db", n))), n)
	})
	b.Run("postgres", func(b *testing.B) {
		dsn := os.Getenv("LLMGATEWAY_USAGEDB_POSTGRES")
		if dsn == "" {
			dsn = pgtest.Start(b)
		}
		benchSums(b, opened(b, pool(b, "pgx", dsn, 8), Postgres), n)
	})
}

func benchSums(b *testing.B, d *DB, n int) {
	fill(b, d, n)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	india, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		b.Fatal(err)
	}
	month := func(zone *time.Location) accounting.Filter {
		return accounting.Filter{Since: time.Date(2026, 2, 1, 0, 0, 0, 0, zone), Until: time.Date(2026, 3, 1, 0, 0, 0, 0, zone)}
	}
	last := func(d time.Duration) accounting.Filter {
		end := trafficStart.Add(trafficDays*24*time.Hour - 5*time.Hour)
		return accounting.Filter{Since: end.Add(-d), Until: end}
	}
	limited := func(f accounting.Filter, field, value string) accounting.Filter {
		f.Match = map[string][]string{field: {value}}
		return f
	}
	user := "user-0500@example.com"
	for _, c := range []struct {
		name string
		q    accounting.Query
	}{
		{"month by user", accounting.Query{Filter: month(time.UTC), By: []string{"user"}}},
		{"month in Berlin by user", accounting.Query{Filter: month(berlin), By: []string{"user"}, Location: berlin}},
		{"month in India by user", accounting.Query{Filter: month(india), By: []string{"user"}, Location: india}},
		{"last 30 days by user", accounting.Query{Filter: last(720 * time.Hour), By: []string{"user"}}},
		{"last 7 days by user", accounting.Query{Filter: last(168 * time.Hour), By: []string{"user"}}},
		{"last 24 hours by user", accounting.Query{Filter: last(24 * time.Hour), By: []string{"user"}}},
		{"all time by user", accounting.Query{By: []string{"user"}}},
		{"month by model", accounting.Query{Filter: month(time.UTC), By: []string{"model"}}},
		{"month by feature", accounting.Query{Filter: month(time.UTC), By: []string{"feature"}}},
		{"month by project", accounting.Query{Filter: month(time.UTC), By: []string{"project"}}},
		{"month by day", accounting.Query{Filter: month(time.UTC), By: []string{"day"}}},
		{"month by hour", accounting.Query{Filter: month(time.UTC), By: []string{"hour"}}},
		{"month by day and model", accounting.Query{Filter: month(time.UTC), By: []string{"day", "model"}}},
		{"month in Berlin by day and model", accounting.Query{Filter: month(berlin), By: []string{"day", "model"}, Location: berlin}},
		{"month by day and user", accounting.Query{Filter: month(time.UTC), By: []string{"day", "user"}}},
		{"month by user and model", accounting.Query{Filter: month(time.UTC), By: []string{"user", "model"}}},
		{"month of a user by day", accounting.Query{Filter: limited(month(time.UTC), "user", user), By: []string{"day"}}},
		{"month of a user by model", accounting.Query{Filter: limited(month(time.UTC), "user", user), By: []string{"model"}}},
		{"month of a team by user", accounting.Query{Filter: limited(month(time.UTC), "team", "team-0"), By: []string{"user"}}},
		{"month of a team by day and model", accounting.Query{Filter: limited(month(time.UTC), "team", "team-0"), By: []string{"day", "model"}}},
		{"day by user and feature from rows", accounting.Query{Filter: last(24 * time.Hour), By: []string{"user", "feature"}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			groups, before, best := 0, cpu(b), time.Hour
			for b.Loop() {
				start := time.Now()
				groups = len(sums(b, d, c.q))
				best = min(best, time.Since(start))
			}
			b.ReportMetric(float64(groups), "groups")
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(best.Microseconds())/1000, "best-ms")
		})
	}
}

// fill inserts n rows, as far as they are not there.
func fill(b *testing.B, d *DB, n int) {
	b.Helper()
	s := sums(b, d, accounting.Query{})
	t := newTraffic(n)
	if int(s[0].Attempts) >= n {
		return
	}
	if s[0].Attempts > 0 {
		b.Fatalf("the database has %d rows: empty it", s[0].Attempts)
	}
	start, before := time.Now(), cpu(b)
	if d.dialect == SQLite {
		if _, err := d.write.Exec("PRAGMA synchronous = OFF"); err != nil {
			b.Fatal(err)
		}
	}
	for day := 1; t.next < n; day++ {
		if err := d.fillDay(b.Context(), t, n*day/trafficDays); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d rows in %s, %s of CPU here", n, time.Since(start).Round(time.Second), (cpu(b) - before).Round(time.Second))
	if d.dialect == Postgres {
		if _, err := d.write.Exec("VACUUM ANALYZE"); err != nil {
			b.Fatal(err)
		}
	}
}

// fillDay does what Insert and Fold do, but it folds a whole day at once, out of memory.
func (d *DB) fillDay(ctx context.Context, t *traffic, until int) error {
	return d.transact(ctx, func(tx *sql.Tx) error {
		var sums [len(groups)]rollup
		for g := range sums {
			sums[g] = rollup{}
		}
		insert := d.insertSQLite
		if d.dialect == Postgres {
			insert = d.insertPostgres
		}
		var batch []accounting.Entry
		for t.next < until {
			batch = t.batch(batch[:0], min(maxBatch, until-t.next))
			rows := distinct(batch)
			if _, err := insert(ctx, tx, rows); err != nil {
				return err
			}
			for g := range sums {
				for i := range rows {
					if err := sums[g].addRow(g, &rows[i], 1); err != nil {
						return err
					}
				}
			}
		}
		for g := range sums {
			if err := d.addRollup(ctx, tx, sums[g]); err != nil {
				return err
			}
			if err := d.set(ctx, tx, folded[g], int64(t.next)); err != nil {
				return err
			}
		}
		return nil
	})
}
