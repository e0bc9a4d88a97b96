package report

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests name time zones
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func at(t testing.TB, tz, s string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05", s, zone(t, tz))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestMoments(t *testing.T) {
	const berlin = "Europe/Berlin"
	for _, tc := range []struct{ name, tz, now, s, want string }{
		{"hours ago are hours", berlin, "2026-03-29 12:00:00", "12h", "2026-03-28T23:00:00+01:00"},
		{"days ago keep the time of the day over the change to summer time", berlin, "2026-03-29 12:00:00", "1d", "2026-03-28T12:00:00+01:00"},
		{"days ago keep the time of the day over the change from summer time", berlin, "2026-10-25 12:00:00", "1d", "2026-10-24T12:00:00+02:00"},
		{"weeks are seven days", "UTC", "2026-11-20 08:30:00", "2w", "2026-11-06T08:30:00Z"},
		{"thirty days ago in March of a leap year", "UTC", "2028-03-30 10:00:00", "30d", "2028-02-29T10:00:00Z"},
		{"minutes", "UTC", "2026-11-20 00:10:00", "90m", "2026-11-19T22:40:00Z"},
		{"durations are added", "UTC", "2026-11-20 12:00:00", "1w1d2h30m", "2026-11-12T09:30:00Z"},
		{"now", "UTC", "2026-11-20 12:00:01", "now", "2026-11-20T12:00:01Z"},
		{"today", berlin, "2026-11-20 12:00:00", "today", "2026-11-20T00:00:00+01:00"},
		{"today on the day of a change begins before it", berlin, "2026-03-29 12:00:00", "today", "2026-03-29T00:00:00+01:00"},
		{"yesterday on the first of a month", berlin, "2026-04-01 00:00:00", "yesterday", "2026-03-31T00:00:00+02:00"},
		{"yesterday on the first of March of a leap year", "UTC", "2028-03-01 12:00:00", "yesterday", "2028-02-29T00:00:00Z"},
		{"yesterday on New Year's Day", "UTC", "2027-01-01 12:00:00", "yesterday", "2026-12-31T00:00:00Z"},
		{"a week begins on Monday", "UTC", "2026-11-20 12:00:00", "week", "2026-11-16T00:00:00Z"},
		{"on Monday the week begins today", "UTC", "2026-11-16 00:00:00", "week", "2026-11-16T00:00:00Z"},
		{"on Sunday the week began six days ago", "UTC", "2026-11-01 23:59:59", "week", "2026-10-26T00:00:00Z"},
		{"month", berlin, "2026-10-31 23:59:59", "month", "2026-10-01T00:00:00+02:00"},
		{"year", berlin, "2026-10-31 12:00:00", "year", "2026-01-01T00:00:00+01:00"},
		{"all", "UTC", "2026-10-31 12:00:00", "all", "0001-01-01T00:00:00Z"},
		{"a date", berlin, "2026-11-20 12:00:00", "2026-07-01", "2026-07-01T00:00:00+02:00"},
		{"a month", "UTC", "2026-11-20 12:00:00", "2026-02", "2026-02-01T00:00:00Z"},
		{"a year", "UTC", "2026-11-20 12:00:00", "2025", "2025-01-01T00:00:00Z"},
		{"a leap day", "UTC", "2028-11-20 12:00:00", "2028-02-29", "2028-02-29T00:00:00Z"},
		{"a date and a time", berlin, "2026-11-20 12:00:00", "2026-07-01T08:15", "2026-07-01T08:15:00+02:00"},
		{"a date and a time with seconds", berlin, "2026-11-20 12:00:00", "2026-11-01T08:15:30", "2026-11-01T08:15:30+01:00"},
		{"RFC 3339", berlin, "2026-11-20 12:00:00", "2026-11-01T08:15:30Z", "2026-11-01T09:15:30+01:00"},
		{"RFC 3339 with an offset", "UTC", "2026-11-20 12:00:00", "2026-11-01T08:15:30+01:00", "2026-11-01T07:15:30Z"},
		{"a plus sign that became a space", "UTC", "2026-11-20 12:00:00", "2026-11-01T08:15:30 01:00", "2026-11-01T07:15:30Z"},
		{"a day without a midnight begins with the change", "Africa/Cairo", "2026-05-01 12:00:00", "2026-04-24", "2026-04-24T01:00:00+03:00"},
		{"a day with two midnights begins with the first", "America/Havana", "2026-11-20 12:00:00", "2026-11-01", "2026-11-01T00:00:00-04:00"},
		{"a day after one that ended twice", "Africa/Cairo", "2026-11-20 12:00:00", "2026-10-30", "2026-10-30T00:00:00+02:00"},
		{"a day that a country left out", "Pacific/Apia", "2026-11-20 12:00:00", "2011-12-30", "2011-12-31T00:00:00+14:00"},
		{"half an hour of offset", "Asia/Kolkata", "2026-11-20 00:10:00", "today", "2026-11-20T00:00:00+05:30"},
	} {
		got, err := ParseMoment(tc.s, at(t, tc.tz, tc.now))
		if err != nil || got.Format(time.RFC3339) != tc.want {
			t.Errorf("%s: %s at %s in %s is %s %v, want %s", tc.name, tc.s, tc.now, tc.tz, got.Format(time.RFC3339), err, tc.want)
		}
	}
}

func TestWhatIsNoMoment(t *testing.T) {
	now := at(t, "UTC", "2026-11-20 12:00:00")
	for s, want := range map[string]string{
		"yesterdy":                `did you mean "yesterday"?`,
		"moth":                    `did you mean "month"?`,
		"30":                      "such as 30d",
		"d":                       "such as 30d",
		"-3d":                     "such as 30d",
		"1.5h":                    "such as 30d",
		"3d3d":                    "such as 30d",
		"3s":                      "such as 30d",
		"9999999999999999999999d": "such as 30d",
		"1000000d":                "such as 30d",
		"2026-02-29":              "such as 30d",
		"2026-13-01":              "such as 30d",
		"0001-01-01":              "such as 30d",
		"2026-11-01T25:00":        "such as 30d",
		"\x1b[31m":                `"\x1b[31m"`,
		strings.Repeat("x", 300):  "not longer than 256 bytes",
	} {
		if got, err := ParseMoment(s, now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v %v", s, got, err)
		}
	}
}

func TestPeriods(t *testing.T) {
	now := at(t, "Europe/Berlin", "2026-11-20 12:00:00")
	for _, tc := range []struct{ since, until, want, parameter string }{
		{"", "", "2026-10-21T12:00:00+02:00 2026-11-20T12:00:00+01:00", ""},
		{"yesterday", "today", "2026-11-19T00:00:00+01:00 2026-11-20T00:00:00+01:00", ""},
		{"2026-11", "2026-12", "2026-11-01T00:00:00+01:00 2026-12-01T00:00:00+01:00", ""},
		{"all", "", "0001-01-01T00:00:00Z 2026-11-20T12:00:00+01:00", ""},
		{"now", "", "", "since"},
		{"0d", "", "", "since"},
		{"today", "yesterday", "", "since"},
		{"2027-01-01", "", "", "since"},
		{"tomorow", "", "", "since"},
		{"", "all", "", "until"},
		{"", "x", "", "until"},
	} {
		p, err := ParsePeriod(tc.since, tc.until, now)
		var wrong *ParameterError
		if tc.parameter != "" {
			if !errors.As(err, &wrong) || wrong.Parameter != tc.parameter {
				t.Errorf("%q to %q: %v", tc.since, tc.until, err)
			}
			continue
		}
		if got := p.Since.Format(time.RFC3339) + " " + p.Until.Format(time.RFC3339); err != nil || got != tc.want {
			t.Errorf("%q to %q: %s %v, want %s", tc.since, tc.until, got, err, tc.want)
		}
	}
}

func TestPeriodsOfSumsAreFullHours(t *testing.T) {
	for _, tc := range []struct{ name, tz, now, since, until, want string }{
		{"both ends are widened", "UTC", "2026-11-20 12:34:56", "2026-11-01T10:59:59", "2026-11-01T11:00:01", "2026-11-01T10:00:00Z 2026-11-01T12:00:00Z"},
		{"full hours stay", "UTC", "2026-11-20 12:34:56", "2026-11-01", "2026-11-02", "2026-11-01T00:00:00Z 2026-11-02T00:00:00Z"},
		{"now stays now", "UTC", "2026-11-20 12:34:56", "30d", "", "2026-10-21T12:00:00Z 2026-11-20T12:34:56Z"},
		{"nothing is widened beyond now", "UTC", "2026-11-20 12:34:56", "today", "5m", "2026-11-20T00:00:00Z 2026-11-20T12:34:56Z"},
		{"the future stays", "UTC", "2026-11-20 12:34:56", "today", "2026-12-01T00:30", "2026-11-20T00:00:00Z 2026-12-01T00:30:00Z"},
		{"hours are those of UTC", "Asia/Kolkata", "2026-11-20 12:34:56", "yesterday", "today", "2026-11-18T23:30:00+05:30 2026-11-20T00:30:00+05:30"},
		{"all stays all", "UTC", "2026-11-20 12:34:56", "all", "today", "0001-01-01T00:00:00Z 2026-11-20T00:00:00Z"},
	} {
		now := at(t, tc.tz, tc.now)
		p, err := ParsePeriod(tc.since, tc.until, now)
		p = p.wholeHours(now)
		if got := p.Since.Format(time.RFC3339) + " " + p.Until.Format(time.RFC3339); err != nil || got != tc.want {
			t.Errorf("%s: %s %v, want %s", tc.name, got, err, tc.want)
		}
	}
}

func TestTheTimeZoneOfTheMachineIsCalledAsItIsAtTheTime(t *testing.T) {
	local := time.Local
	defer func() { time.Local = local }()
	berlin := *zone(t, "Europe/Berlin")
	time.Local = &berlin
	for when, want := range map[time.Time]string{
		at(t, "Europe/Berlin", "2026-11-20 12:00:00"):            "Europe/Berlin",
		at(t, "UTC", "2026-11-20 12:00:00"):                      "UTC",
		at(t, "UTC", "2026-11-20 12:00:00").In(&berlin):          "CET",
		at(t, "UTC", "2026-07-20 12:00:00").In(&berlin):          "CEST",
		time.Unix(0, 0).In(time.FixedZone("somewhere else", 60)): "somewhere else",
	} {
		if got := zoneName(when); got != want {
			t.Errorf("%v is in %s, want %s", when, got, want)
		}
	}
}

// FuzzPeriods holds what is true of every period that is accepted, in zones with odd changes of clocks.
func FuzzPeriods(f *testing.F) {
	for _, s := range []string{"30d", "12h", "2w", "today", "yesterday", "week", "month", "year", "all", "2026-11-01", "2011-12-30", "2026-03-29T02:30", "2026-11-01T00:00:00+14:00", "1w1d1h1m"} {
		f.Add(s, "", int64(1795391162), uint8(0))
		f.Add(s, "now", int64(1774746000), uint8(1))
		f.Add("all", s, int64(1793505600), uint8(2))
	}
	zones := []string{"UTC", "Europe/Berlin", "America/Havana", "Africa/Cairo", "Pacific/Apia", "Asia/Kolkata", "Australia/Lord_Howe"}
	f.Fuzz(func(t *testing.T, since, until string, unix int64, tz uint8) {
		if unix < 0 || unix > 1<<34 {
			return
		}
		loc := zone(t, zones[int(tz)%len(zones)])
		now := time.Unix(unix, 0).In(loc)
		p, err := ParsePeriod(since, until, now)
		if err != nil {
			var wrong *ParameterError
			if !errors.As(err, &wrong) || wrong.Parameter != "since" && wrong.Parameter != "until" {
				t.Fatalf("%v names no parameter", err)
			}
			return
		}
		if !p.Since.Before(p.Until) {
			t.Fatalf("%v is not before %v", p.Since, p.Until)
		}
		if p.Until.Location() != loc || !p.Since.IsZero() && p.Since.Location() != loc {
			t.Fatalf("%v and %v are not in %v", p.Since, p.Until, loc)
		}
		if _, err := time.Parse(time.DateOnly, since); err == nil && len(since) == len(time.DateOnly) {
			// Nothing before its first instant belongs to a day, and the day or, where it was left out, the next begins there.
			if before := p.Since.Add(-time.Second).Format(time.DateOnly); before >= since || p.Since.Format(time.DateOnly) < since {
				t.Fatalf("%s does not begin at %v", since, p.Since)
			}
		}
	})
}
