package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-llm/llmgateway/internal/nearest"
)

// Period is a span of time: Since inclusive, Until exclusive. A zero Since is the beginning of all times.
type Period struct{ Since, Until time.Time }

// words are moments with names. All but now and all are the beginning of something.
var words = []string{"now", "today", "yesterday", "week", "month", "year", "all"}

// oldest is the first year that a moment may lie in: before there were language models nothing was spent on them.
const oldest = 1970

// ParsePeriod reads both ends of a period; see [ParseMoment]. Without since it begins 30 days ago, without until it ends now.
func ParsePeriod(since, until string, now time.Time) (Period, error) {
	p := Period{Since: now.AddDate(0, 0, -30), Until: now}
	var err error
	if since != "" {
		if p.Since, err = ParseMoment(since, now); err != nil {
			return Period{}, &ParameterError{"since", err.Error()}
		}
	}
	if until != "" {
		if p.Until, err = ParseMoment(until, now); err == nil && p.Until.IsZero() {
			err = fmt.Errorf("%q is no end", clip(until))
		}
		if err != nil {
			return Period{}, &ParameterError{"until", err.Error()}
		}
	}
	if !p.Since.Before(p.Until) {
		return Period{}, &ParameterError{"since", fmt.Sprintf("%s is not before until, which is %s",
			p.Since.Format(time.RFC3339), p.Until.Format(time.RFC3339))}
	}
	return p, nil
}

// wholeHours widens a period to full hours of UTC, which is what ledgers keep sums of. Its end does not leave the present: nothing
// was spent later.
func (p Period) wholeHours(now time.Time) Period {
	const hour = int64(time.Hour / time.Second)
	if !p.Since.IsZero() {
		p.Since = time.Unix(p.Since.Unix()/hour*hour, 0).In(p.Since.Location())
	}
	if !p.Until.Before(now) {
		return p
	}
	p.Until = time.Unix(p.Until.Add(time.Hour-1).Unix()/hour*hour, 0).In(p.Until.Location())
	if p.Until.After(now) {
		p.Until = now
	}
	return p
}

// ParseMoment reads a moment, in the time zone of now where it names none:
//
//   - how long ago it was: 30d, 12h, 2w, 90m, 1d12h. Days and weeks keep the time of the day, also when clocks are changed
//   - a date, 2026-11-01, a month, 2026-11, or a year, 2026: the first instant of it
//   - 2026-11-01T15:04, with seconds or not, or RFC 3339
//   - now; today, yesterday, week (Monday), month and year: the first instant of it; all: the zero Time
func ParseMoment(s string, now time.Time) (time.Time, error) {
	if len(s) > maxValue {
		return time.Time{}, fmt.Errorf("a time is not longer than %d bytes", maxValue)
	}
	if t, ok := word(s, now); ok {
		return t, nil
	}
	if t, ok := ago(s, now); ok {
		return t, nil
	}
	if t, ok := written(s, now.Location()); ok {
		return t, nil
	}
	if near := nearest.Names(s, words, 1); len(near) > 0 {
		return time.Time{}, fmt.Errorf("%q is not a time; did you mean %q?", clip(s), near[0])
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 30d, 12h, 2w, 2026-11-01, 2026-11-01T15:04:05Z, %s",
		clip(s), strings.Join(words[1:], ", "))
}

func word(s string, now time.Time) (time.Time, bool) {
	y, m, d := now.Date()
	switch s {
	case "now":
		return now, true
	case "today":
	case "yesterday":
		d--
	case "week":
		d -= (int(now.Weekday()) + 6) % 7
	case "month":
		d = 1
	case "year":
		m, d = time.January, 1
	case "all":
		return time.Time{}, true
	default:
		return time.Time{}, false
	}
	return dayStart(y, m, d, now.Location()), true
}

// maxAgo bounds each number of a duration: with it, days cannot leave the calendar.
const maxAgo = 1_000_000

// ago reads a duration, and returns the moment that lies so long before now.
func ago(s string, now time.Time) (time.Time, bool) {
	days, rest := 0, time.Duration(0)
	var seen []byte
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if i <= 0 {
			return time.Time{}, false
		}
		n, err := strconv.Atoi(s[:i])
		if err != nil || n > maxAgo || slices.Contains(seen, s[i]) {
			return time.Time{}, false
		}
		switch s[i] {
		case 'w':
			days += 7 * n
		case 'd':
			days += n
		case 'h':
			rest += time.Duration(n) * time.Hour
		case 'm':
			rest += time.Duration(n) * time.Minute
		default:
			return time.Time{}, false
		}
		seen = append(seen, s[i])
		s = s[i+1:]
	}
	t := now.AddDate(0, 0, -days).Add(-rest)
	return t, len(seen) > 0 && t.Year() >= oldest
}

// written reads a date or a time.
func written(s string, loc *time.Location) (time.Time, bool) {
	if i := len(s) - len(" 01:00"); i > 0 && s[i] == ' ' && strings.Contains(s, "T") {
		s = s[:i] + "+" + s[i+1:] // in a URL a plus sign that was not escaped is a space
	}
	for _, layout := range []string{time.DateOnly, "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return dayStart(t.Year(), t.Month(), t.Day(), loc), t.Year() >= oldest
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return t.In(loc), t.Year() >= oldest
		}
	}
	return time.Time{}, false
}

// dayStart returns the first instant of a day. That is not always midnight: where clocks are changed at midnight there may be
// none, or two.
func dayStart(y int, m time.Month, d int, loc *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	noon := time.Date(y, m, d, 12, 0, 0, 0, time.UTC)
	day := noon.Format(time.DateOnly)
	start, end := t.ZoneBounds()
	if t.Format(time.DateOnly) < day && !end.IsZero() {
		return end // there is no midnight: the day begins with the change
	}
	if start.IsZero() {
		return t
	}
	_, offset := t.Zone()
	_, before := start.Add(-time.Second).Zone()
	if first := t.Add(time.Duration(offset-before) * time.Second); before > offset && first.Before(start) && first.Format(time.DateOnly) == day {
		return first // there are two midnights
	}
	return t
}
