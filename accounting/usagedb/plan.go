package usagedb

import "time"

// level is how long the time is that a row sums up. All times are Unix seconds, and all levels are in UTC.
type level uint8

// The levels, from fine to coarse.
const (
	hours level = iota
	days
	months
	levels = iota

	log level = levels // not a roll-up: the rows of usage_log
)

const (
	secondsPerHour = 3600
	secondsPerDay  = 24 * secondsPerHour
	// slot is the unit in which rows of usage_log are assigned to hours, days and months of a time zone: all zones of
	// today differ by multiples of it.
	slot = 900
)

// table is the name of a level's table.
func (l level) table() string {
	return [...]string{"usage_hours", "usage_days", "usage_months", "usage_log"}[l]
}

// floor returns the beginning of what t is in.
func (l level) floor(t int64) int64 {
	switch l {
	case hours:
		return floor(t, secondsPerHour)
	case days:
		return floor(t, secondsPerDay)
	}
	y, m, _ := time.Unix(t, 0).UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC).Unix()
}

func floor(t, unit int64) int64 {
	r := t % unit
	if r < 0 {
		r += unit
	}
	return t - r
}

// next returns the beginning of what comes after that which begins at t.
func (l level) next(t int64) int64 {
	switch l {
	case hours:
		return t + secondsPerHour
	case days:
		return t + secondsPerDay
	}
	return months.floor(t + 31*secondsPerDay)
}

// nearest returns the boundary that is nearest to t.
func (l level) nearest(t int64) int64 {
	before := l.floor(t)
	if before == t {
		return t
	}
	if after := l.next(before); after-t < t-before {
		return after
	}
	return before
}

// count returns how many of a level are between two of its boundaries.
func (l level) count(from, to int64) int64 {
	switch l {
	case hours:
		return (to - from) / secondsPerHour
	case days:
		return (to - from) / secondsPerDay
	}
	a, b := time.Unix(from, 0).UTC(), time.Unix(to, 0).UTC()
	return int64(b.Year()-a.Year())*12 + int64(b.Month()-a.Month())
}

// segment is a time whose sums one level has, to be added (sign 1) or taken away (-1).
type segment struct {
	level    level
	from, to int64
	sign     int64
}

// planner covers times with as few rows of roll-ups as it can.
type planner struct {
	hours bool // whether the family has sums by hour
	// Nothing happened before first or from last on.
	first, last int64
}

// logCost is what reading a slot of usage_log costs, in rows of a roll-up per group.
const logCost = 2

// plan covers the time from inclusive to exclusive.
func (p planner) plan(from, to int64) []segment {
	from, to = max(from, months.floor(p.first)), min(to, months.next(months.floor(p.last)))
	if from >= to || to <= p.first || from >= p.last {
		return nil
	}
	// Where nothing happened, an end may be anywhere.
	if from <= p.first {
		from = months.floor(p.first)
	}
	if to >= p.last {
		to = months.next(months.floor(p.last))
	}
	segments, _ := p.cover(months, from, to, 1)
	return segments
}

// cover covers a time with a level and those below it, and returns what that costs.
func (p planner) cover(l level, from, to, sign int64) ([]segment, int64) {
	if from == to {
		return nil, 0
	}
	if l == hours && !p.hours {
		l = log
	}
	if l == log {
		return []segment{{log, from, to, sign}}, logCost * ((to - from + slot - 1) / slot)
	}
	below := l - 1
	if l == hours {
		below = log
	}
	a, b := l.nearest(from), l.nearest(to)
	if a >= b {
		return p.cover(below, from, to, sign)
	}
	head, headCost := p.between(below, from, a, sign)
	tail, tailCost := p.between(below, b, to, sign)
	cost := headCost + l.count(a, b) + tailCost
	if headCost+tailCost > 0 { // otherwise nothing can be better
		if fine, fineCost := p.cover(below, from, to, sign); fineCost <= cost {
			return fine, fineCost
		}
	}
	return append(append(head, segment{l, a, b, sign}), tail...), cost
}

// between covers the time from a to b or, with the opposite sign, from b to a.
func (p planner) between(l level, a, b, sign int64) ([]segment, int64) {
	if a > b {
		return p.cover(l, b, a, -sign)
	}
	return p.cover(l, a, b, sign)
}
