package usagedb

import "time"

// unit is a time that can be grouped by.
type unit struct {
	name   string
	format string
	rank   int // the finest first
}

var units = map[string]unit{
	"hour":  {"hour", "2006-01-02T15:04Z07:00", 1},
	"day":   {"day", time.DateOnly, 2},
	"month": {"month", "2006-01", 3},
}

// begin returns when the hour, day or month that t is in begins in a time zone, in Unix seconds. Days and months begin with
// the first quarter of an hour of their first date, which is not midnight where clocks are changed then. Hours are those of UTC:
// in a zone with half an hour, they begin at half past.
func (u unit) begin(t int64, zone *time.Location) int64 {
	if u.rank <= 1 {
		return hours.floor(t)
	}
	y, m, d := time.Unix(floor(t, slot), 0).In(zone).Date()
	if u.name == "month" {
		d = 1
	}
	return firstSlot(y, m, d, zone)
}

// end returns when what begins at t ends.
func (u unit) end(t int64, zone *time.Location) int64 {
	if u.rank <= 1 {
		return t + secondsPerHour
	}
	y, m, d := time.Unix(t, 0).In(zone).Date()
	if u.name == "month" {
		return firstSlot(y, m+1, 1, zone)
	}
	return firstSlot(y, m, d+1, zone)
}

// label is what reports call what begins at t.
func (u unit) label(t int64, zone *time.Location) string {
	return time.Unix(t, 0).In(zone).Format(u.format)
}

// firstSlot returns the first slot of a date.
func firstSlot(y int, m time.Month, d int, zone *time.Location) int64 {
	date := time.Date(y, m, d, 0, 0, 0, 0, time.UTC) // a date as a number that can be compared
	isBefore := func(t int64) bool {
		y, m, d := time.Unix(t, 0).In(zone).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Before(date)
	}
	y, m, d = date.Date()
	t := floor(time.Date(y, m, d, 0, 0, 0, 0, zone).Unix(), slot)
	for !isBefore(t - slot) {
		t -= slot
	}
	for isBefore(t) {
		t += slot
	}
	return t
}
