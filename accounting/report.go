package accounting

import (
	"context"
	"time"
)

// Reader is implemented by ledgers that can be asked what was spent.
type Reader interface {
	// Sums adds entries up by group, the most expensive group first or, when the first thing grouped by is a time, in its
	// order.
	Sums(ctx context.Context, q Query) ([]Sum, error)
	// Entries calls yield with every entry of a period, oldest first, until it returns an error, which Entries returns. The
	// entry is only valid during the call.
	Entries(ctx context.Context, f Filter, yield func(*Entry) error) error
}

// Filter chooses entries. The zero Filter chooses all.
type Filter struct {
	// The period, by the time that attempts started: Since inclusive, Until exclusive. The zero Time is no limit. [Reader.Sums]
	// may widen both to full hours.
	Since, Until time.Time
	// Match maps fields (see [Query]) but those of time to the values that are wanted.
	Match map[string][]string
}

// Query asks for sums.
type Query struct {
	Filter
	// By are the fields to group by: key, user, team, provider, model (public name), upstream_model, dialect, tier, certainty,
	// error_class; hour, day or month; and any other name is that of a tag, such as feature. With none there is one sum, also of
	// nothing.
	By []string
	// Location is the time zone of days and months. Default: UTC.
	Location *time.Location
	// Limit is the largest number of groups. Default: all.
	Limit int
}

// Sum is what the attempts of one group add up to.
type Sum struct {
	// Group has the values of Query.By. Times are written 2006-01-02T15:04Z07:00, 2006-01-02 and 2006-01.
	Group []string
	// Requests counts first attempts, Attempts all, Errors those that failed.
	Requests, Attempts, Errors int64
	// Estimated and Unknown count attempts whose usage was not reported; Unpriced those whose price is not known, so that Cost
	// says too little.
	Estimated, Unknown, Unpriced int64
	Usage                        Usage
	Cost, AtRisk                 Money
	// Latency and TimeToFirstToken are sums, over all attempts and over FirstTokens of them.
	Latency, TimeToFirstToken time.Duration
	FirstTokens               int64
}
