package usagedb

import (
	"strings"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// ceiling is the largest number in a roll-up. Sums stop there: two of them can still be added, and no provider can report so much
// that a sum turns negative or a row cannot be written any more.
const ceiling = 1<<62 - 1

// measure is a number that is summed.
type measure struct {
	name string // of its column in the roll-ups
	of   string // what it is the sum of in usage_log
}

// measured are the columns of measures, in their order.
var measured = [...]measure{
	{"requests", "COUNT(*) FILTER (WHERE attempt = 1)"},
	{"attempts", "COUNT(*)"},
	{"errors", "COUNT(*) FILTER (WHERE error_class <> '')"},
	{"estimated", "COUNT(*) FILTER (WHERE certainty = 'estimated')"},
	{"unknown", "COUNT(*) FILTER (WHERE certainty = 'unknown')"},
	{"unpriced", "COUNT(*) FILTER (WHERE NOT priced)"},
	{"input_tokens", ""},
	{"cache_read_tokens", ""},
	{"cache_write_tokens", ""},
	{"cache_write_1h_tokens", ""},
	{"audio_input_tokens", ""},
	{"image_input_tokens", ""},
	{"video_input_tokens", ""},
	{"cache_read_audio_tokens", ""},
	{"cache_read_image_tokens", ""},
	{"output_tokens", ""},
	{"reasoning_tokens", ""},
	{"audio_output_tokens", ""},
	{"image_output_tokens", ""},
	{"web_searches", ""},
	{"cost_nano", ""},
	{"at_risk_nano", ""},
	{"latency_us", ""},
	{"ttft_us", ""},
	{"first_tokens", "COUNT(*) FILTER (WHERE ttft_us > 0)"},
}

// attempts is the index of a measure that is zero for a group of nothing.
const attempts = 1

// measures are the sums of one group.
type measures [len(measured)]int64

// set makes m what one entry adds to sums.
func (m *measures) set(e *accounting.Entry) {
	one := func(yes bool) int64 {
		if yes {
			return 1
		}
		return 0
	}
	u := &e.Usage
	*m = measures{
		one(e.Attempt == 1), 1, one(e.ErrorClass != ""), one(e.Certainty == accounting.Estimated),
		one(e.Certainty == accounting.Unknown), one(!e.Priced),
		u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.InputAudio, u.InputImage, u.InputVideo, u.CacheReadAudio,
		u.CacheReadImage, u.Output, u.Reasoning, u.OutputAudio, u.OutputImage, u.WebSearches,
		int64(e.Cost), int64(e.AtRisk), e.Latency.Microseconds(), e.TimeToFirstToken.Microseconds(),
		one(e.TimeToFirstToken.Microseconds() > 0),
	}
}

// add adds sign × n. It stops at the ceiling.
func (m *measures) add(n *measures, sign int64) {
	for i, v := range n {
		if v != 0 {
			m[i] = bounded(int64(accounting.Money(m[i]).Add(accounting.Money(sign * v))))
		}
	}
}

func bounded(n int64) int64 { return max(min(n, ceiling), -ceiling) }

// sum returns the sums in the form of reports.
func (m *measures) sum() accounting.Sum {
	return accounting.Sum{
		Requests: m[0], Attempts: m[1], Errors: m[2], Estimated: m[3], Unknown: m[4], Unpriced: m[5],
		Usage: accounting.Usage{
			Input: m[6], CacheRead: m[7], CacheWrite: m[8], CacheWrite1h: m[9], InputAudio: m[10], InputImage: m[11],
			InputVideo: m[12], CacheReadAudio: m[13], CacheReadImage: m[14], Output: m[15], Reasoning: m[16],
			OutputAudio: m[17], OutputImage: m[18], WebSearches: m[19],
		},
		Cost: accounting.Money(m[20]), AtRisk: accounting.Money(m[21]),
		Latency:          time.Duration(m[22]) * time.Microsecond,
		TimeToFirstToken: time.Duration(m[23]) * time.Microsecond,
		FirstTokens:      m[24],
	}
}

// cost is the sum that groups are sorted by.
func (m *measures) cost() int64 { return m[20] }

// destinations appends where the measures are scanned to.
func (m *measures) destinations(dst []any) []any {
	for i := range m {
		dst = append(dst, &m[i])
	}
	return dst
}

// sumOfRollups and sumOfLog are the lists of expressions that add measures up.
var sumOfRollups, sumOfLog = sumExpressions()

func sumExpressions() (ofRollups, ofLog string) {
	var r, l strings.Builder
	for _, m := range measured {
		r.WriteString(", CAST(SUM(" + m.name + ") AS bigint)")
		if m.of == "" {
			l.WriteString(", CAST(SUM(" + m.name + ") AS bigint)")
		} else {
			l.WriteString(", " + m.of)
		}
	}
	return r.String(), l.String()
}
