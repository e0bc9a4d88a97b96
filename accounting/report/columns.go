package report

import (
	"slices"
	"strconv"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// kind is how the value of a column is written.
type kind uint8

const (
	number  kind = iota // as it is; nothing is null
	decimal             // a number that JSON has as a string, because readers of JSON make floats of numbers
	text                // a string, made by who knows whom
	object              // JSON, in a string where there is no JSON
)

// column is one value of a T. The same columns are written as JSON and as CSV.
type column[T any] struct {
	name   string
	kind   kind
	append func(dst []byte, v *T) []byte
	key    []byte // the name as the key of a JSON object, with the colon
}

// columnsOf joins columns.
func columnsOf[T any](parts ...[]column[T]) []column[T] {
	all := slices.Concat(parts...)
	for i := range all {
		all[i].key = append(jsonedit.AppendString(nil, all[i].name), ':')
	}
	return all
}

func count[T any](name string, get func(*T) int64) column[T] {
	return column[T]{name: name, append: func(dst []byte, v *T) []byte { return strconv.AppendInt(dst, get(v), 10) }}
}

func dollars[T any](name string, get func(*T) accounting.Money) column[T] {
	return column[T]{name: name, kind: decimal, append: func(dst []byte, v *T) []byte { return get(v).AppendDollars(dst) }}
}

func label[T any](name string, get func(*T) string) column[T] {
	return column[T]{name: name, kind: text, append: func(dst []byte, v *T) []byte { return append(dst, get(v)...) }}
}

func boolean[T any](name string, get func(*T) bool) column[T] {
	return column[T]{name: name, append: func(dst []byte, v *T) []byte { return strconv.AppendBool(dst, get(v)) }}
}

// milliseconds is a mean over n, and nothing when n is 0.
func milliseconds[T any](name string, get func(*T) (sum time.Duration, n int64)) column[T] {
	return column[T]{name: name, append: func(dst []byte, v *T) []byte {
		sum, n := get(v)
		if n <= 0 {
			return dst
		}
		return strconv.AppendFloat(dst, float64(sum)/float64(n)/float64(time.Millisecond), 'f', 1, 64)
	}}
}

// tokenColumns are all input and all output tokens, and then the disjoint classes that they are the sums of.
func tokenColumns[T any](usage func(*T) *accounting.Usage) []column[T] {
	of := func(name string, get func(*accounting.Usage) int64) column[T] {
		return count(name, func(v *T) int64 { return get(usage(v)) })
	}
	return []column[T]{
		of("input_tokens", (*accounting.Usage).TotalInput),
		of("output_tokens", (*accounting.Usage).TotalOutput),
		of("text_input_tokens", func(u *accounting.Usage) int64 { return u.Input }),
		of("cache_read_tokens", func(u *accounting.Usage) int64 { return u.CacheRead }),
		of("cache_write_tokens", func(u *accounting.Usage) int64 { return u.CacheWrite }),
		of("cache_write_1h_tokens", func(u *accounting.Usage) int64 { return u.CacheWrite1h }),
		of("audio_input_tokens", func(u *accounting.Usage) int64 { return u.InputAudio }),
		of("image_input_tokens", func(u *accounting.Usage) int64 { return u.InputImage }),
		of("video_input_tokens", func(u *accounting.Usage) int64 { return u.InputVideo }),
		of("cache_read_audio_tokens", func(u *accounting.Usage) int64 { return u.CacheReadAudio }),
		of("cache_read_image_tokens", func(u *accounting.Usage) int64 { return u.CacheReadImage }),
		of("text_output_tokens", func(u *accounting.Usage) int64 { return u.Output }),
		of("reasoning_tokens", func(u *accounting.Usage) int64 { return u.Reasoning }),
		of("audio_output_tokens", func(u *accounting.Usage) int64 { return u.OutputAudio }),
		of("image_output_tokens", func(u *accounting.Usage) int64 { return u.OutputImage }),
		of("web_searches", func(u *accounting.Usage) int64 { return u.WebSearches }),
	}
}

// sumColumns are what follows the values that sums are grouped by.
var sumColumns = columnsOf(
	[]column[accounting.Sum]{
		count("requests", func(s *accounting.Sum) int64 { return s.Requests }),
		count("attempts", func(s *accounting.Sum) int64 { return s.Attempts }),
		count("errors", func(s *accounting.Sum) int64 { return s.Errors }),
		count("estimated", func(s *accounting.Sum) int64 { return s.Estimated }),
		count("unknown", func(s *accounting.Sum) int64 { return s.Unknown }),
		count("unpriced", func(s *accounting.Sum) int64 { return s.Unpriced }),
	},
	tokenColumns(func(s *accounting.Sum) *accounting.Usage { return &s.Usage }),
	[]column[accounting.Sum]{
		dollars("cost_usd", func(s *accounting.Sum) accounting.Money { return s.Cost }),
		count("cost_nano", func(s *accounting.Sum) int64 { return int64(s.Cost) }),
		dollars("at_risk_usd", func(s *accounting.Sum) accounting.Money { return s.AtRisk }),
		count("at_risk_nano", func(s *accounting.Sum) int64 { return int64(s.AtRisk) }),
		milliseconds("avg_latency_ms", func(s *accounting.Sum) (time.Duration, int64) { return s.Latency, s.Attempts }),
		milliseconds("avg_ttft_ms", func(s *accounting.Sum) (time.Duration, int64) { return s.TimeToFirstToken, s.FirstTokens }),
	},
)

// reserved are the names that tags cannot have beside sums.
var reserved = func() []string {
	names := make([]string, len(sumColumns))
	for i, c := range sumColumns {
		names[i] = c.name
	}
	return names
}()

// entryColumns are all that is known of an attempt.
var entryColumns = columnsOf(
	[]column[accounting.Entry]{
		{name: "time", kind: text, append: appendTime},
		label("attempt_id", func(e *accounting.Entry) string { return e.AttemptID }),
		label("request_id", func(e *accounting.Entry) string { return e.RequestID }),
		count("attempt", func(e *accounting.Entry) int64 { return int64(e.Attempt) }),
		label("key", func(e *accounting.Entry) string { return e.Key }),
		label("user", func(e *accounting.Entry) string { return e.User }),
		label("team", func(e *accounting.Entry) string { return e.Team }),
		{name: "tags", kind: object, append: appendTags},
		label("provider", func(e *accounting.Entry) string { return e.Provider }),
		label("dialect", func(e *accounting.Entry) string { return e.Dialect }),
		label("model", func(e *accounting.Entry) string { return e.Model }),
		label("upstream_model", func(e *accounting.Entry) string { return e.UpstreamModel }),
		label("answered_model", func(e *accounting.Entry) string { return e.AnsweredModel }),
		label("provider_request_id", func(e *accounting.Entry) string { return e.ProviderRequestID }),
	},
	tokenColumns(func(e *accounting.Entry) *accounting.Usage { return &e.Usage }),
	[]column[accounting.Entry]{
		label("certainty", func(e *accounting.Entry) string { return e.Certainty.String() }),
		boolean("usage_invalid", func(e *accounting.Entry) bool { return e.UsageInvalid }),
		boolean("recovered", func(e *accounting.Entry) bool { return e.Recovered }),
		dollars("cost_usd", func(e *accounting.Entry) accounting.Money { return e.Cost }),
		count("cost_nano", func(e *accounting.Entry) int64 { return int64(e.Cost) }),
		boolean("priced", func(e *accounting.Entry) bool { return e.Priced }),
		dollars("at_risk_usd", func(e *accounting.Entry) accounting.Money { return e.AtRisk }),
		count("at_risk_nano", func(e *accounting.Entry) int64 { return int64(e.AtRisk) }),
		label("tier", func(e *accounting.Entry) string { return e.Tier }),
		label("price_version", func(e *accounting.Entry) string { return e.PriceVersion }),
		count("status", func(e *accounting.Entry) int64 { return int64(e.Status) }),
		label("error_class", func(e *accounting.Entry) string { return e.ErrorClass }),
		boolean("stream", func(e *accounting.Entry) bool { return e.Stream }),
		milliseconds("latency_ms", func(e *accounting.Entry) (time.Duration, int64) { return e.Latency, 1 }),
		milliseconds("ttft_ms", func(e *accounting.Entry) (time.Duration, int64) {
			return e.TimeToFirstToken, int64(min(e.TimeToFirstToken, 1)) // 0 when no content came
		}),
	},
)

func appendTime(dst []byte, e *accounting.Entry) []byte {
	return e.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
}

// appendTags writes the tags as an object, in the order of their names.
func appendTags(dst []byte, e *accounting.Entry) []byte {
	names := make([]string, 0, len(e.Tags))
	for name := range e.Tags {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsonedit.AppendString(dst, name), ':')
		dst = jsonedit.AppendString(dst, e.Tags[name])
	}
	return append(dst, '}')
}

// writer writes columns, with a buffer for one value.
type writer struct{ value []byte }

// members appends the columns of v as the members of a JSON object, with commas between them.
func members[T any](w *writer, dst []byte, columns []column[T], v *T) []byte {
	for i := range columns {
		c := &columns[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c.key...)
		w.value = c.append(w.value[:0], v)
		switch {
		case c.kind == text || c.kind == decimal:
			dst = jsonedit.AppendString(dst, string(w.value))
		case len(w.value) == 0:
			dst = append(dst, "null"...)
		default:
			dst = append(dst, w.value...)
		}
	}
	return dst
}

// cells appends the columns of v as cells of CSV, with commas between them.
func cells[T any](w *writer, dst []byte, columns []column[T], v *T) []byte {
	for i := range columns {
		c := &columns[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		w.value = c.append(w.value[:0], v)
		if c.kind == text || c.kind == object {
			dst = AppendCell(dst, string(w.value))
			continue
		}
		dst = append(dst, w.value...)
	}
	return dst
}

// heads appends the names of columns as cells.
func heads[T any](dst []byte, columns []column[T]) []byte {
	for i := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, columns[i].name...)
	}
	return dst
}
