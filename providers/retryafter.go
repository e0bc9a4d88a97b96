package providers

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxRetryAfter bounds what a provider can ask for: five minutes. After that a probe costs less than a mistake.
	maxRetryAfter = 300 * time.Second
	// maxHeaderValue is the longest header value that is looked at.
	maxHeaderValue = 64
)

// resetKinds are the x-ratelimit-…-<kind> headers of OpenAI and its clones. Together has no kind.
var resetKinds = [...]string{"-Requests", "-Tokens", "-Project-Requests", "-Project-Tokens", "-Input-Images", ""}

// anthropicKinds are the anthropic-ratelimit-<kind>-… headers.
var anthropicKinds = [...]string{"Requests", "Tokens", "Input-Tokens", "Output-Tokens"}

// RetryAfter is how long an error response asks to wait: Retry-After-Ms, else Retry-After (seconds or a date), else
// Google's RetryInfo in the body, else the reset time of the limits that the response says are used up. It is 0 when
// nothing sensible is said and at most five minutes. Of several values the longest counts.
//
// Call it for error responses only: some vendors send Retry-After with successful ones.
func RetryAfter(h http.Header, body []byte, now time.Time) time.Duration {
	if d := longest(h["Retry-After-Ms"], func(v string) time.Duration { return parseNumber(v, time.Millisecond) }); d > 0 {
		return d
	}
	if d := longest(h["Retry-After"], func(v string) time.Duration { return parseRetryAfter(v, now) }); d > 0 {
		return d
	}
	if f := parseError(body); f.retryDelay != "" {
		if d := parseDuration(f.retryDelay); d > 0 {
			return d
		}
	}
	return limitReset(h, now)
}

func longest(values []string, parse func(string) time.Duration) time.Duration {
	var most time.Duration
	for _, v := range values {
		if v = strings.TrimSpace(v); len(v) <= maxHeaderValue {
			most = max(most, parse(v))
		}
	}
	return most
}

// limitReset reads the reset times of exhausted limits. The reset of a limit that has something left says nothing.
func limitReset(h http.Header, now time.Time) time.Duration {
	most := standardReset(h)
	for _, kind := range resetKinds {
		if exhausted(h["X-Ratelimit-Remaining"+kind]) {
			most = max(most, longest(h["X-Ratelimit-Reset"+kind], func(v string) time.Duration { return parseReset(v, now) }))
		}
	}
	for _, kind := range anthropicKinds {
		if exhausted(h["Anthropic-Ratelimit-"+kind+"-Remaining"]) {
			most = max(most, longest(h["Anthropic-Ratelimit-"+kind+"-Reset"], func(v string) time.Duration {
				t, err := time.Parse(time.RFC3339, v)
				if err != nil {
					return 0
				}
				return clampWait(t.Sub(now))
			}))
		}
	}
	return most
}

// standardReset reads the reset times of exhausted limits in the forms that the IETF's drafts of RateLimit headers have had:
// `"minute";r=0;t=30`, `limit=10, remaining=0, reset=30`, and a header for each (draft-ietf-httpapi-ratelimit-headers).
func standardReset(h http.Header) time.Duration {
	var most time.Duration
	note := func(remaining, reset string) {
		if n, err := strconv.ParseFloat(remaining, 64); err == nil && n <= 0 {
			most = max(most, parseNumber(reset, time.Second))
		}
	}
	note(firstOf(h["Ratelimit-Remaining"]), firstOf(h["Ratelimit-Reset"]))
	for _, v := range h["Ratelimit"] {
		if len(v) > maxLimitList {
			continue
		}
		if p := parameters(v, ","); p["remaining"] != "" {
			note(p["remaining"], p["reset"])
			continue
		}
		for policy := range strings.SplitSeq(v, ",") {
			p := parameters(policy, ";")
			note(p["r"], p["t"])
		}
	}
	return most
}

// maxLimitList is the longest list of limits that is looked at.
const maxLimitList = 1 << 10

// parameters reads name=value pairs.
func parameters(v, separator string) map[string]string {
	all := map[string]string{}
	for part := range strings.SplitSeq(v, separator) {
		if name, value, ok := strings.Cut(part, "="); ok {
			all[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	return all
}

// exhausted reports whether a remaining-header says 0 or is missing.
func exhausted(values []string) bool {
	if len(values) == 0 {
		return true
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(values[0]), 64)
	return err == nil && n <= 0
}

func parseRetryAfter(v string, now time.Time) time.Duration {
	if d := parseNumber(v, time.Second); d > 0 {
		return d
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return clampWait(t.Sub(now))
}

// parseReset reads "1m3.5s", seconds, or a Unix time in seconds or milliseconds (OpenRouter).
func parseReset(v string, now time.Time) time.Duration {
	if d := parseDuration(v); d > 0 {
		return d
	}
	n, err := strconv.ParseInt(v, 10, 64)
	switch {
	case err != nil:
		return parseNumber(v, time.Second)
	case n >= 1e12 && n < 1e14:
		return clampWait(time.UnixMilli(n).Sub(now))
	case n >= 1e9 && n < 1e12:
		return clampWait(time.Unix(n, 0).Sub(now))
	}
	return parseNumber(v, time.Second)
}

// parseDuration reads a Go duration, which includes the JSON form of protobuf durations.
func parseDuration(v string) time.Duration {
	if len(v) > maxHeaderValue {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		return 0
	}
	return clampWait(d)
}

// parseNumber reads a plain decimal number of units. Negative numbers, NaN and infinities are no waiting times.
func parseNumber(v string, unit time.Duration) time.Duration {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || !(n > 0) || math.IsInf(n, 0) {
		return 0
	}
	if n >= float64(maxRetryAfter/unit) {
		return maxRetryAfter
	}
	return time.Duration(n * float64(unit))
}

func clampWait(d time.Duration) time.Duration { return min(max(d, 0), maxRetryAfter) }

// limitKinds are the limits that successful responses report: the names of their headers, and whether they count tokens.
var limitKinds = [...]struct {
	limit, remaining, reset string
	tokens                  bool
}{
	{"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests", false},
	{"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens", true},
	{"X-Ratelimit-Limit-Project-Requests", "X-Ratelimit-Remaining-Project-Requests", "X-Ratelimit-Reset-Project-Requests", false},
	{"X-Ratelimit-Limit-Project-Tokens", "X-Ratelimit-Remaining-Project-Tokens", "X-Ratelimit-Reset-Project-Tokens", true},
	{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", false},
	{"Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset", false},
	{"Anthropic-Ratelimit-Tokens-Limit", "Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Reset", true},
	{"Anthropic-Ratelimit-Input-Tokens-Limit", "Anthropic-Ratelimit-Input-Tokens-Remaining", "Anthropic-Ratelimit-Input-Tokens-Reset", true},
	{"Anthropic-Ratelimit-Output-Tokens-Limit", "Anthropic-Ratelimit-Output-Tokens-Remaining", "Anthropic-Ratelimit-Output-Tokens-Reset", true},
}

// UsedUp is how long the next request of about so many tokens has to wait by what a successful response says about its
// vendor's limits; 0 when nothing is used up. Vendors fill limits up steadily, and their reset is the time until they are
// full again: one request needs only its part of that.
func UsedUp(h http.Header, tokens int64, now time.Time) time.Duration {
	most := standardReset(h)
	for i := range limitKinds {
		k := &limitKinds[i]
		remaining := h[k.remaining]
		if len(remaining) == 0 || !exhausted(remaining) {
			continue
		}
		reset := longest(h[k.reset], func(v string) time.Duration { return parseAnyReset(v, now) })
		need := int64(1)
		if k.tokens {
			need = max(tokens, 1)
		}
		switch limit, err := strconv.ParseInt(firstOf(h[k.limit]), 10, 64); {
		case err == nil && limit <= 0:
			continue // there is no limit that could be used up
		case err == nil && limit > need:
			reset = time.Duration(float64(reset) * float64(need) / float64(limit))
		}
		most = max(most, reset)
	}
	return most
}

// parseAnyReset reads a time of RFC 3339 or what parseReset reads.
func parseAnyReset(v string, now time.Time) time.Duration {
	if t, err := time.Parse(time.RFC3339, v); err == nil {
		return clampWait(t.Sub(now))
	}
	return parseReset(v, now)
}

func firstOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return strings.TrimSpace(values[0])
}
