package llmgateway

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/balancing"
)

// Limit is what a vendor allows one API key at one endpoint. The gateway keeps to it, so that the vendor never has to
// refuse: a key at its limit is passed over for others, and where there is no other a request waits for up to 2s.
type Limit struct {
	// How many requests within any span of the given length, such as `60/min`. The units are `sec`, `min`, `hour` and
	// `day`, and numbers may end in `k` or `m`. Default: no limit.
	Requests string `json:"requests,omitempty"`
	// How many tokens, input and output together, such as `200k/min`. They are taken by estimate when a request is sent
	// and corrected by what it used. Default: no limit.
	Tokens string `json:"tokens,omitempty"`
	// How many requests at a time. Default: no limit.
	Concurrent int `json:"concurrent,omitempty"`
}

// rules are the limit ready for use.
func (l *Limit) rules() (balancing.Limit, error) {
	var out balancing.Limit
	if l == nil {
		return out, nil
	}
	var err error
	if out.Requests, err = parseRate(l.Requests); err != nil {
		return out, fmt.Errorf("limit: requests: %w", err)
	}
	if out.Tokens, err = parseRate(l.Tokens); err != nil {
		return out, fmt.Errorf("limit: tokens: %w", err)
	}
	if l.Concurrent < 0 {
		return out, fmt.Errorf("limit: concurrent is negative")
	}
	out.Concurrent = int64(l.Concurrent)
	return out, nil
}

// rateUnits are the spans that rates are counted over.
var rateUnits = map[string]time.Duration{
	"sec": time.Second, "second": time.Second, "min": time.Minute, "minute": time.Minute,
	"hour": time.Hour, "day": 24 * time.Hour,
}

// parseRate reads "60/min"; an empty text is no limit.
func parseRate(s string) (balancing.Rate, error) {
	if s == "" {
		return balancing.Rate{}, nil
	}
	count, unit, _ := strings.Cut(s, "/")
	per := rateUnits[unit]
	n, ok := parseCount(count)
	if per == 0 || !ok {
		return balancing.Rate{}, fmt.Errorf("'%s' is not a rate such as 60/min; the units are sec, min, hour and day", s)
	}
	return balancing.Rate{N: n, Per: per}, nil
}

// parseCount reads a positive whole number that may end in k or m.
func parseCount(s string) (int64, bool) {
	factor := int64(1)
	if rest, ok := strings.CutSuffix(s, "k"); ok {
		s, factor = rest, 1000
	} else if rest, ok := strings.CutSuffix(s, "m"); ok {
		s, factor = rest, 1_000_000
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n * factor, err == nil && n > 0 && n <= 1<<40
}

// parseLimit reads
//
//	limit <n>/<unit> [<n>_tokens/<unit>] [<n>_concurrent]
func parseLimit(d *caddyfile.Dispenser, to **Limit) error {
	if *to != nil {
		return d.Err("limit already specified")
	}
	args := d.RemainingArgs()
	if len(args) == 0 {
		return wrongArgs(d, "limit")
	}
	l := new(Limit)
	for _, a := range args {
		name, value := "requests", a
		if count, unit, ok := strings.Cut(a, "_tokens/"); ok {
			name, value = "tokens", count+"/"+unit
		} else if count, ok := strings.CutSuffix(a, "_concurrent"); ok {
			n, ok := parseCount(count)
			if !ok || l.Concurrent != 0 {
				return d.Errf("limit: '%s' is not a number of requests such as 10_concurrent, or the second one", a)
			}
			l.Concurrent = int(n)
			continue
		}
		field := &l.Requests
		if name == "tokens" {
			field = &l.Tokens
		}
		if *field != "" {
			return d.Errf("limit: %s are limited twice", name)
		}
		if _, err := parseRate(value); err != nil {
			return d.Errf("limit: '%s' is none of <n>/min, <n>_tokens/min and <n>_concurrent; the units are sec, min, hour and day", a)
		}
		*field = value
	}
	*to = l
	return nil
}
