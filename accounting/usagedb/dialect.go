package usagedb

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Dialect is a kind of database.
type Dialect uint8

// The dialects.
const (
	SQLite   Dialect = iota // with the driver modernc.org/sqlite
	Postgres                // 12 or later, with the driver github.com/jackc/pgx/v5/stdlib
)

func (d Dialect) String() string { return [...]string{"sqlite", "postgres"}[d] }

// SQLiteDSN returns the data source name of the database in a file, for the driver "sqlite".
//
// A commit is on the disk when it returns: only the background writes to the database, so that nobody waits for it. Who finds it
// locked waits up to five seconds. Transactions that write lock it from the beginning, because one that reads first and then finds
// that somebody else has written cannot go on.
func SQLiteDSN(path string, readOnly bool) string {
	q := url.Values{"_pragma": {"busy_timeout(5000)"}}
	if readOnly {
		q.Set("mode", "ro")
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Set("_txlock", "immediate")
		q.Add("_pragma", "synchronous(FULL)")
		q.Add("_pragma", "journal_size_limit(67108864)") // 64 MiB: a WAL that grew under a long report shrinks again
	}
	q.Add("_pragma", "cache_size(-32768)") // 32 MiB per connection: the roll-ups of a month
	q.Add("_pragma", "mmap_size(0)")       // a disk that fails under a mapping would end the process
	q.Add("_pragma", "temp_store(MEMORY)")
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
}

// statement builds a statement out of constant text; values only ever become arguments.
type statement struct {
	strings.Builder
	dialect Dialect
	args    []any
}

// arg adds a placeholder for a value.
func (s *statement) arg(v any) {
	s.args = append(s.args, v)
	if s.dialect == SQLite {
		s.WriteByte('?')
		return
	}
	s.WriteByte('$')
	s.WriteString(strconv.Itoa(len(s.args)))
}

// oneOf adds the condition that a column has one of some values.
func (s *statement) oneOf(column string, values []string) {
	s.WriteString(column)
	if s.dialect == Postgres {
		s.WriteString(" = ANY(")
		s.arg(values)
		s.WriteString(")")
		return
	}
	list, _ := json.Marshal(values) // a slice of strings always can
	s.WriteString(" IN (SELECT value FROM json_each(")
	s.arg(string(list))
	s.WriteString("))")
}

// oneOfTimes adds the condition that a column has one of some times, in Unix seconds.
func (s *statement) oneOfTimes(column string, seconds []int64) {
	s.WriteString(column)
	if s.dialect == Postgres {
		times := make([]time.Time, len(seconds))
		for i, t := range seconds {
			times[i] = time.Unix(t, 0)
		}
		s.WriteString(" = ANY(")
		s.arg(times)
		s.WriteString(")")
		return
	}
	list := []byte{'['}
	for i, t := range seconds {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, t*1e6, 10)
	}
	s.WriteString(" IN (SELECT value FROM json_each(")
	s.arg(string(append(list, ']')))
	s.WriteString("))")
}

// timeArg is a time as a value of a column: microseconds since 1970 in SQLite.
func (d Dialect) timeArg(t time.Time) any {
	if d == SQLite {
		return t.UnixMicro()
	}
	return t.Truncate(time.Microsecond)
}

// timeColumn scans what timeArg wrote.
type timeColumn struct{ time.Time }

func (t *timeColumn) Scan(v any) error {
	switch v := v.(type) {
	case int64:
		t.Time = time.UnixMicro(v).UTC()
	case time.Time:
		t.Time = v.UTC()
	default:
		return fmt.Errorf("a time has the type %T", v)
	}
	return nil
}

// attemptID is a UUID as bytes. The hash of what is none takes its place, so that it is the same whenever it comes.
func attemptID(s string) (id [16]byte) {
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		packed := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
		if _, err := hex.Decode(id[:], []byte(packed)); err == nil {
			return id
		}
	}
	hash := sha256.Sum256([]byte(s))
	copy(id[:], hash[:])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: made in a way of our own
	return id
}

// formatID writes a UUID the usual way.
func formatID(id []byte) string {
	if len(id) != 16 {
		return hex.EncodeToString(id)
	}
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:36], id[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}
