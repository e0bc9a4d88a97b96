package providers

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, tc := range []struct {
		name   string
		header http.Header
		body   string
		want   time.Duration
	}{
		{name: "nothing"},
		{name: "seconds", header: http.Header{"Retry-After": {"2"}}, want: 2 * time.Second},
		{name: "fractions", header: http.Header{"Retry-After": {" 0.25 "}}, want: 250 * time.Millisecond},
		{name: "milliseconds go first", header: http.Header{"Retry-After": {"9"}, "Retry-After-Ms": {"1500"}}, want: 1500 * time.Millisecond},
		{name: "bad milliseconds do not", header: http.Header{"Retry-After": {"9"}, "Retry-After-Ms": {"x"}}, want: 9 * time.Second},
		{name: "a date", header: http.Header{"Retry-After": {in(90 * time.Second)}}, want: 90 * time.Second},
		{name: "a past date", header: http.Header{"Retry-After": {in(-time.Hour)}}},
		{name: "a date next year", header: http.Header{"Retry-After": {in(365 * 24 * time.Hour)}}, want: 300 * time.Second},
		{name: "negative", header: http.Header{"Retry-After": {"-1"}}},
		{name: "huge", header: http.Header{"Retry-After": {"1e9"}}, want: 300 * time.Second},
		{name: "beyond every integer", header: http.Header{"Retry-After": {"99999999999999999999999"}}, want: 300 * time.Second},
		{name: "not a number", header: http.Header{"Retry-After": {"NaN"}}},
		{name: "infinite", header: http.Header{"Retry-After": {"Inf"}}},
		{name: "words", header: http.Header{"Retry-After": {"soon"}}},
		{name: "ten kilobytes", header: http.Header{"Retry-After": {strings.Repeat("1", 10<<10)}}},
		{name: "two headers", header: http.Header{"Retry-After": {"1", "5"}}, want: 5 * time.Second},
		{name: "two headers, one of them junk", header: http.Header{"Retry-After": {"-1", "5"}}, want: 5 * time.Second},
		{name: "Google's RetryInfo", body: `{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"31.5s"}]}}`, want: 31500 * time.Millisecond},
		{name: "a RetryInfo that is none", body: `{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1e400s"}]}}`},
		{name: "an exhausted limit", header: http.Header{"X-Ratelimit-Remaining-Tokens": {"0"}, "X-Ratelimit-Reset-Tokens": {"1m3.5s"}}, want: 63500 * time.Millisecond},
		{name: "the longest of the exhausted ones", header: http.Header{
			"X-Ratelimit-Remaining-Requests": {"0"}, "X-Ratelimit-Reset-Requests": {"6ms"},
			"X-Ratelimit-Remaining-Tokens": {"0"}, "X-Ratelimit-Reset-Tokens": {"2s"},
		}, want: 2 * time.Second},
		{name: "a limit with something left", header: http.Header{"X-Ratelimit-Remaining-Tokens": {"12"}, "X-Ratelimit-Reset-Tokens": {"1m"}}},
		{name: "Together's seconds", header: http.Header{"X-Ratelimit-Reset": {"7"}}, want: 7 * time.Second},
		{name: "OpenRouter's milliseconds since 1970", header: http.Header{"X-Ratelimit-Reset": {"1785585605000"}}, want: 5 * time.Second},
		{name: "seconds since 1970", header: http.Header{"X-Ratelimit-Reset": {"1785585605"}}, want: 5 * time.Second},
		{name: "Anthropic's date", header: http.Header{
			"Anthropic-Ratelimit-Requests-Remaining": {"3"}, "Anthropic-Ratelimit-Requests-Reset": {"2026-08-01T12:04:00Z"},
			"Anthropic-Ratelimit-Input-Tokens-Remaining": {"0"}, "Anthropic-Ratelimit-Input-Tokens-Reset": {"2026-08-01T12:00:20Z"},
		}, want: 20 * time.Second},
		{name: "OpenAI's limit of a project", header: http.Header{
			"X-Ratelimit-Remaining-Requests": {"3"}, "X-Ratelimit-Reset-Requests": {"1m"},
			"X-Ratelimit-Remaining-Project-Tokens": {"0"}, "X-Ratelimit-Reset-Project-Tokens": {"4s"},
		}, want: 4 * time.Second},
		{name: "Hugging Face's list", header: http.Header{"Ratelimit": {`"api";r=3;t=90, "pages";r=0;t=37`}}, want: 37 * time.Second},
		{name: "a list with something left", header: http.Header{"Ratelimit": {`"api";r=3;t=90`}}},
		{name: "the earlier draft's", header: http.Header{"Ratelimit": {"limit=10, remaining=0, reset=12"}}, want: 12 * time.Second},
		{name: "the first draft's", header: http.Header{"Ratelimit-Limit": {"10"}, "Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {"8"}}, want: 8 * time.Second},
		{name: "a list of junk", header: http.Header{"Ratelimit": {`;;=,r=,"x";r=0;t=NaN, r=0;t=-4`, strings.Repeat("r=0;t=9,", 1<<10)}}},
		{name: "an Anthropic date that is none", header: http.Header{"Anthropic-Ratelimit-Tokens-Reset": {"tomorrow"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := RetryAfter(tc.header, []byte(tc.body), now); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestSecretsAreRemovedFromMessages(t *testing.T) {
	for in, want := range map[string]string{
		"key sk-proj-AbC123_x-9**** is wrong":         "key [redacted] is wrong",
		"key=AIzaSyD-9tSrke72PouQMnMX":                "key=[redacted]",
		"Bearer abcdefghijklmnop1234 expired":         "[redacted] expired",
		"bearer authentication is needed":             "bearer authentication is needed",
		"gsk_abcd1234 hf_abcd1234 xai-abcd1234":       "[redacted] [redacted] [redacted]",
		"AKIAIOSFODNN7EXAMPLE":                        "[redacted]",
		"see https://h/x?key=abc&model=m":             "see https://h/x[redacted]&model=m",
		"token eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln":    "token [redacted]",
		"limit of org-AbCdEf123456 reached":           "limit of [redacted] reached",
		"a task-force on disk-usage, req_011CdufXo8Y": "a task-force on disk-usage, req_011CdufXo8Y",
		"two\r\nlines\x1b[0m\x00 and \u202eback":      "two  lines[0m and back",
		"bad \xff byte":                               "bad \uFFFD byte",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestEverySecretHasAMarker(t *testing.T) {
	for _, secret := range []string{
		"Bearer abcdefghijklmnop1234", "bearer abcdefghijklmnop1234", "sk-abcd1234", "rk-abcd1234", "csk-abcd1234",
		"nvapi-abcd1234", "pplx-abcd1234", "xai-abcd1234", "glpat-abcd1234", "org-abcd1234", "sk_abcd1234", "gsk_abcd1234",
		"hf_abcd1234", "r8_abcd1234", "fw_abcd1234", "tgp_abcd1234", "ghp_abcd1234", "gho_abcd1234", "github_pat_abcd1234",
		"AIzaabcd1234", "ya29.abcd1234", "AKIAABCD1234", "ASIAABCD1234", "eyJabcdefgh.abcd.abcd", "?key=abcd", "&api_key=abcd",
		"?api-key=abcd", "?apikey=abcd", "&token=abcd", "?access_token=abcd",
	} {
		if !mayHoldSecret([]byte(secret)) || !secretPatterns.MatchString(secret) {
			t.Errorf("%s is not found", secret)
		}
		if got := clean("x " + secret + " y"); strings.Contains(got, "abcd") || strings.Contains(got, "ABCD") {
			t.Errorf("%s becomes %s", secret, got)
		}
	}
}

func TestASuccessThatUsedUpALimitSaysHowLongTheNextRequestHasToWait(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		headers string
		want    time.Duration
	}{
		"nothing is said":                 {"", 0},
		"something is left":               {"X-Ratelimit-Remaining-Requests: 1, X-Ratelimit-Reset-Requests: 20s", 0},
		"only the reset is said":          {"X-Ratelimit-Reset-Requests: 20s", 0},
		"one of three requests a minute":  {"X-Ratelimit-Limit-Requests: 3, X-Ratelimit-Remaining-Requests: 0, X-Ratelimit-Reset-Requests: 1m", 20 * time.Second},
		"Hugging Face":                    {`Ratelimit: "api";r=0;t=7`, 7 * time.Second},
		"no limit is said":                {"X-Ratelimit-Remaining-Requests: 0, X-Ratelimit-Reset-Requests: 1m3.5s", 63500 * time.Millisecond},
		"tokens for a request":            {"X-Ratelimit-Limit-Tokens: 10000, X-Ratelimit-Remaining-Tokens: 0, X-Ratelimit-Reset-Tokens: 60s", 6 * time.Second},
		"more tokens than there ever are": {"X-Ratelimit-Limit-Tokens: 500, X-Ratelimit-Remaining-Tokens: 0, X-Ratelimit-Reset-Tokens: 60s", time.Minute},
		"Together":                        {"X-Ratelimit-Limit: 10, X-Ratelimit-Remaining: 0, X-Ratelimit-Reset: 5", 500 * time.Millisecond},
		"Anthropic":                       {"Anthropic-Ratelimit-Requests-Limit: 2, Anthropic-Ratelimit-Requests-Remaining: 0, Anthropic-Ratelimit-Requests-Reset: 2026-01-02T03:04:15Z", 5 * time.Second},
		"a reset in the past":             {"X-Ratelimit-Remaining-Requests: 0, X-Ratelimit-Reset-Requests: -3s", 0},
		"a reset that is none":            {"X-Ratelimit-Remaining-Requests: 0, X-Ratelimit-Reset-Requests: soon", 0},
		"a limit that is none":            {"X-Ratelimit-Limit-Requests: many, X-Ratelimit-Remaining-Requests: 0, X-Ratelimit-Reset-Requests: 2s", 2 * time.Second},
		"no limit":                        {"X-Ratelimit-Limit-Tokens: 0, X-Ratelimit-Remaining-Tokens: 0, X-Ratelimit-Reset-Tokens: 2s", 0},
		"more than five minutes":          {"X-Ratelimit-Remaining-Requests: 0, X-Ratelimit-Reset-Requests: 24h", 300 * time.Second},
	} {
		h := http.Header{}
		for line := range strings.SplitSeq(c.headers, ", ") {
			if k, v, ok := strings.Cut(line, ": "); ok {
				h.Set(k, v)
			}
		}
		if got := UsedUp(h, 1000, now); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
