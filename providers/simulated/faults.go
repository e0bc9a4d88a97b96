package simulated

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/providers"
)

// Share is how many of the requests something happens to.
type Share struct {
	// Percent of the requests, chosen at random. Default: 100.
	Percent float64 `json:"percent,omitempty"`
}

// Fail answers with a fault in place of an answer.
type Fail struct {
	Share
	// Class is the class of fault: connect, tls, timeout, rate_limit, overloaded, server_error, auth, billing,
	// context_length, content_filter, not_found or invalid. Status, headers and body are those of the vendor whose
	// dialect is spoken; connect and tls fail before there is an answer, and with timeout there never is one.
	Class string `json:"class"`
	// RetryAfter is how long the provider asks to be left alone, in whole seconds, with rate_limit, overloaded and
	// server_error. Default: it does not say.
	RetryAfter caddy.Duration `json:"retry_after,omitempty"`
	// After lets a stream fail by an error event when so many pieces of content have come, with rate_limit, overloaded and
	// server_error. Answers that are not streamed fail at once. Default: no answer begins.
	After int `json:"after,omitempty"`
}

// Cut breaks the connection in the middle of an answer.
type Cut struct {
	Share
	// After is how many pieces of content come before, at most all but one. Default: none. An answer that is not streamed
	// breaks off halfway.
	After int `json:"after,omitempty"`
}

// Stall stops an answer in the middle without closing the connection.
type Stall struct {
	Share
	// After is how many pieces of content come before, as with Cut.
	After int `json:"after,omitempty"`
	// For is how long nothing comes. Default: for ever, until the gateway gives up.
	For caddy.Duration `json:"for,omitempty"`
}

// Slow lets some answers begin late.
type Slow struct {
	Share
	// Latency is the time to their first token.
	Latency caddy.Duration `json:"latency"`
}

// Down is an outage: every request fails, model lists and health checks too. Answers that have begun go on.
type Down struct {
	// Class is the class of fault, as for Fail. Default: connect.
	Class string `json:"class,omitempty"`
	// Every is the time from the beginning of one outage to that of the next. The first one begins that long after the
	// configuration was loaded. Default: the outage never ends.
	Every caddy.Duration `json:"every,omitempty"`
	// For is how long an outage lasts.
	For caddy.Duration `json:"for,omitempty"`
}

// classes are the faults that can be had, in the order of the documentation.
var classes = []string{
	string(providers.ClassConnect), string(providers.ClassTLS), string(providers.ClassTimeout), string(providers.ClassRateLimit),
	string(providers.ClassOverloaded), string(providers.ClassServerError), string(providers.ClassAuth), string(providers.ClassBilling),
	string(providers.ClassContextLength), string(providers.ClassContentFilter), string(providers.ClassNotFound), string(providers.ClassInvalid),
}

// busy are the classes with which vendors say how long to wait, and that they also send into streams.
var busy = []string{string(providers.ClassRateLimit), string(providers.ClassOverloaded), string(providers.ClassServerError)}

const (
	maxAfter      = 1_000_000
	maxRetryAfter = caddy.Duration(24 * time.Hour)
)

func (s Share) fraction() float64 {
	if s.Percent == 0 {
		return 1
	}
	return s.Percent / 100
}

func (s Share) check() error {
	if !(s.Percent >= 0 && s.Percent <= 100) {
		return fmt.Errorf("%v%%: want a percentage of at most 100", s.Percent)
	}
	return nil
}

func checkClass(class string) error {
	if slices.Contains(classes, class) {
		return nil
	}
	if near := providers.Nearest(class, classes); near != "" {
		return fmt.Errorf("there is no class of fault '%s'; did you mean '%s'?", class, near)
	}
	return fmt.Errorf("there is no class of fault '%s'; it is one of %s", class, strings.Join(classes, ", "))
}

func checkAfter(n int) error {
	if n < 0 || n > maxAfter {
		return fmt.Errorf("after %d: want a number from 0 to %d", n, maxAfter)
	}
	return nil
}

func (f *Fail) check() error {
	if err := checkClass(f.Class); err != nil {
		return err
	}
	switch isBusy := slices.Contains(busy, f.Class); {
	case f.RetryAfter != 0 && !isBusy:
		return fmt.Errorf("providers say retry_after with %s, not with %s", strings.Join(busy, ", "), f.Class)
	case f.After != 0 && !isBusy:
		return fmt.Errorf("a stream that has begun can fail with %s, not with %s", strings.Join(busy, ", "), f.Class)
	case f.RetryAfter != 0 && f.After != 0:
		return fmt.Errorf("retry_after comes in place of an answer, after %d in the middle of one: write two lines", f.After)
	case f.RetryAfter < 0 || f.RetryAfter > maxRetryAfter || time.Duration(f.RetryAfter)%time.Second != 0:
		return fmt.Errorf("retry_after %v: want whole seconds, at most 24h", time.Duration(f.RetryAfter))
	}
	if err := checkAfter(f.After); err != nil {
		return err
	}
	return f.Share.check()
}

func (c *Cut) check() error {
	if err := checkAfter(c.After); err != nil {
		return err
	}
	return c.Share.check()
}

func (s *Stall) check() error {
	if s.For < 0 {
		return fmt.Errorf("for %v: want a duration above zero", time.Duration(s.For))
	}
	if err := checkAfter(s.After); err != nil {
		return err
	}
	return s.Share.check()
}

func (s *Slow) check() error {
	if s.Latency <= 0 {
		return fmt.Errorf("latency %v: want a duration above zero", time.Duration(s.Latency))
	}
	return s.Share.check()
}

func (d *Down) check() error {
	if d.Class != "" {
		if err := checkClass(d.Class); err != nil {
			return err
		}
	}
	switch {
	case d.Every == 0 && d.For == 0:
		return nil
	case d.Every <= 0 || d.For <= 0:
		return fmt.Errorf("it wants two durations above zero: down every 10m for 1m")
	case d.For >= d.Every:
		return fmt.Errorf("every %v for %v never ends; without the two it is meant to", time.Duration(d.Every), time.Duration(d.For))
	}
	return nil
}

// at reports whether there is an outage so long after the start.
func (d *Down) at(since time.Duration) bool {
	if d == nil {
		return false
	}
	every := time.Duration(d.Every)
	return every <= 0 || since >= every && since%every < time.Duration(d.For)
}
