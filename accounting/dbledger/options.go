package dbledger

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/caddy-llm/llmgateway/accounting/journal"
)

const (
	defaultRetention = 400 * 24 * time.Hour // a year, and a month to look back at it
	minRetention     = 24 * time.Hour
	forever          = -1

	defaultMaxOutbox = 1 << 30
	minMaxOutbox     = 16 << 20 // a few of the journal's files
)

// Options are what all ledgers with a database can be told.
type Options struct {
	// What entries survive. `process`: the end of the gateway, however it ends; a loss of power takes at most its last 250 ms.
	// `power`: a loss of power, too, at the price of a disk's sync before each attempt. `async`: nothing; entries wait in memory,
	// and nothing but the database is written. Default: `process`.
	Durability string `json:"durability,omitempty"`
	// What becomes of requests while nothing can be written down, because the disk is full for example. `buffer` keeps up
	// to 10,000 entries or 64 MiB in memory and then refuses; `refuse` refuses at once. Requests under way are recorded
	// either way, as soon as there is space. Default: `buffer`.
	OnFailure string `json:"on_failure,omitempty"`
	// How long the record of each attempt is kept, at least a day; -1 is for ever. Sums by hour are always kept.
	// Default: 400 days.
	Retention caddy.Duration `json:"retention,omitempty"`
	// How many bytes entries may take on the disk that the database does not have yet, at least 16 MiB. When they take more,
	// on_failure says what happens. Default: 1 GiB.
	MaxOutbox int64 `json:"max_outbox,omitempty"`
}

// OptionNames are what [Options.UnmarshalOption] knows.
const OptionNames = "durability, on_failure, retention, max_outbox"

// UnmarshalOption sets the option that d is at. It reports false for one that it does not know.
//
//	durability process|power|async
//	on_failure buffer|refuse
//	retention  <duration>|forever
//	max_outbox <size>
func (o *Options) UnmarshalOption(d *caddyfile.Dispenser) (known bool, err error) {
	switch d.Val() {
	case "durability":
		return true, word(d, &o.Durability, durabilities)
	case "on_failure":
		return true, word(d, &o.OnFailure, failures)
	case "retention":
		return true, o.unmarshalRetention(d)
	case "max_outbox":
		return true, o.unmarshalMaxOutbox(d)
	}
	return false, nil
}

// durabilities and failures are the values of Options that stand for the journal's.
var (
	durabilities = choice[journal.Durability]{
		{"process", journal.Process}, {"power", journal.Power}, {"async", journal.Async},
	}
	failures = choice[journal.Failure]{{"buffer", journal.Buffer}, {"refuse", journal.Refuse}}
)

// choice is what a word can be, the default first.
type choice[T any] []struct {
	word  string
	value T
}

func (c choice[T]) find(word string) (value T, ok bool) {
	for _, v := range c {
		if v.word == word || word == "" {
			return v.value, true
		}
	}
	return value, false
}

func (c choice[T]) String() string {
	words := make([]string, len(c))
	for i, v := range c {
		words[i] = v.word
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func word[T any](d *caddyfile.Dispenser, to *string, c choice[T]) error {
	var v string
	if err := Once(d, to, &v); err != nil {
		return err
	}
	if _, ok := c.find(v); !ok || v == "" {
		return d.Errf("%s must be %s, not '%s'", d.Val(), c, v)
	}
	*to = v
	return nil
}

// Once reads the one argument of an option that was not given before, when field is still zero.
func Once[T comparable](d *caddyfile.Dispenser, field *T, arg *string) error {
	var zero T
	if *field != zero {
		return d.Errf("%s already specified", d.Val())
	}
	option := d.Val()
	if !d.AllArgs(arg) {
		return d.ArgErr()
	}
	if *arg == "" {
		return d.Errf("%s is empty", option)
	}
	return nil
}

func (o *Options) unmarshalRetention(d *caddyfile.Dispenser) error {
	var v string
	if err := Once(d, &o.Retention, &v); err != nil {
		return err
	}
	if v == "forever" {
		o.Retention = forever
		return nil
	}
	dur, err := caddy.ParseDuration(v)
	if err != nil {
		return d.Errf("retention must be a duration such as 90d or forever, not '%s'", v)
	}
	if o.Retention = caddy.Duration(dur); dur < minRetention {
		return d.Errf("retention must be at least 1d, not '%s'", v)
	}
	return nil
}

func (o *Options) unmarshalMaxOutbox(d *caddyfile.Dispenser) error {
	var v string
	if err := Once(d, &o.MaxOutbox, &v); err != nil {
		return err
	}
	size, err := humanize.ParseBytes(v)
	if err != nil || size > 1<<50 {
		return d.Errf("max_outbox must be a size such as 512MiB, not '%s'", v)
	}
	if o.MaxOutbox = int64(size); o.MaxOutbox < minMaxOutbox {
		return d.Errf("max_outbox must be at least 16MiB, not '%s'", v)
	}
	return nil
}

// fill gives options that were not set their defaults, and reports what none can be.
func (o *Options) fill() error {
	var errs []error
	if _, ok := durabilities.find(o.Durability); !ok {
		errs = append(errs, fmt.Errorf("durability must be %s, not %q", durabilities, o.Durability))
	}
	if _, ok := failures.find(o.OnFailure); !ok {
		errs = append(errs, fmt.Errorf("on_failure must be %s, not %q", failures, o.OnFailure))
	}
	switch {
	case o.Retention == 0:
		o.Retention = caddy.Duration(defaultRetention)
	case o.Retention != forever && time.Duration(o.Retention) < minRetention:
		errs = append(errs, fmt.Errorf("retention must be at least 1d, or -1, not %v", time.Duration(o.Retention)))
	}
	switch {
	case o.MaxOutbox == 0:
		o.MaxOutbox = defaultMaxOutbox
	case o.MaxOutbox < minMaxOutbox:
		errs = append(errs, fmt.Errorf("max_outbox must be at least %d, not %d", minMaxOutbox, o.MaxOutbox))
	}
	if o.Durability == "" {
		o.Durability = durabilities[0].word
	}
	if o.OnFailure == "" {
		o.OnFailure = failures[0].word
	}
	return errors.Join(errs...)
}
