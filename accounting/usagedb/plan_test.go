package usagedb

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestAPlanCoversExactlyWhatItIsAskedFor(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	const span = 120 * 24 // hours
	start := time.Date(2026, 1, 10, 5, 0, 0, 0, time.UTC).Unix()
	for range 3000 {
		p := planner{hours: r.IntN(2) > 0}
		a, b := r.Int64N(span), r.Int64N(span)
		p.first, p.last = start+min(a, b)*secondsPerHour, start+(max(a, b)+1)*secondsPerHour
		from, to := start+r.Int64N(4*span)*slot, start+r.Int64N(4*span)*slot
		if r.IntN(4) == 0 {
			from = always
		}
		if r.IntN(4) == 0 {
			to = never
		}
		covered := map[int64]int64{}
		for _, s := range p.plan(from, to) {
			if s.level == hours && !p.hours {
				t.Fatalf("%+v: there are no hours", p)
			}
			if s.level < levels && (s.level.floor(s.from) != s.from || s.level.floor(s.to) != s.to) {
				t.Fatalf("%+v is not made of %s", s, s.level.table())
			}
			for at := s.from; at < s.to; at += slot {
				covered[at] += s.sign
			}
		}
		for at := p.first; at < p.last; at += slot {
			want := int64(0)
			if at >= from && at < to {
				want = 1
			}
			if covered[at] != want {
				t.Fatalf("%+v from %d to %d: %d is covered %d times, want %d", p, from, to, at, covered[at], want)
			}
		}
	}
}

func TestPlansAreShort(t *testing.T) {
	day := func(m time.Month, d, h int) int64 { return time.Date(2026, m, d, h, 0, 0, 0, time.UTC).Unix() }
	p := planner{hours: true, first: day(1, 3, 7), last: day(6, 20, 15)}
	for _, tc := range []struct {
		name     string
		from, to int64
		rows     int64
	}{
		{"a month is a row", day(2, 1, 0), day(3, 1, 0), 1},
		{"everything is all months", always, never, 6},
		{"what is left of a month is the month", day(6, 1, 0), day(6, 20, 20), 1},
		{"a day is a row", day(2, 3, 0), day(2, 4, 0), 1},
		{"a month an hour early takes two hours more", day(1, 31, 23), day(2, 28, 23), 3},
		{"most of a month is the month less some days", day(2, 4, 0), day(2, 27, 0), 1 + 3 + 2},
		{"nearly a day is the day less some hours", day(2, 4, 2), day(2, 5, 0), 1 + 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rows := int64(0)
			for _, s := range p.plan(tc.from, tc.to) {
				rows += s.level.count(s.from, s.to)
			}
			if rows != tc.rows {
				t.Errorf("it takes %d rows, want %d: %+v", rows, tc.rows, p.plan(tc.from, tc.to))
			}
		})
	}
}

func TestDaysBeginWhereClocksSaySo(t *testing.T) {
	for _, tc := range []struct{ zone, at, want string }{
		{"UTC", "2026-03-05T12:00:00Z", "2026-03-05T00:00:00Z"},
		{"Asia/Kolkata", "2026-03-05T19:00:00Z", "2026-03-05T18:30:00Z"},
		{"Asia/Kathmandu", "2026-03-05T18:15:00Z", "2026-03-05T18:15:00Z"},
		{"America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z"}, // there was no midnight: it began at one
		{"America/Havana", "2018-11-04T12:00:00Z", "2018-11-04T04:00:00Z"},    // there were two: it began with the first
		{"Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z"},      // the 30th never was
	} {
		zone, err := time.LoadLocation(tc.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, tc.at)
		begin := units["day"].begin(at.Unix(), zone)
		if got := time.Unix(begin, 0).UTC().Format(time.RFC3339); got != tc.want {
			t.Errorf("%s in %s is of a day that begins at %s, want %s", tc.at, tc.zone, got, tc.want)
		}
		if end := units["day"].end(begin, zone); end <= at.Unix() || units["day"].begin(end, zone) != end || units["day"].begin(end-slot, zone) != begin {
			t.Errorf("%s: the day from %d ends at %d", tc.zone, begin, end)
		}
	}
}
