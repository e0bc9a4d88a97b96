package usagedb

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddy-llm/llmgateway/accounting"
)

// maxText is how many bytes of a text are kept. Users can choose some of them, and what PostgreSQL indexes is limited.
const maxText = 256

// kind is the type of a column.
type kind uint8

const (
	text kind = iota
	integer
	boolean
	instant
	identifier
	document
)

// columns are those of usage_log but for its id, in the order of row.values and scanEntry.
var columns = [...]struct {
	name string
	kind kind
}{
	{"time", instant},
	{"attempt_id", identifier},
	{"request_id", text},
	{"attempt", integer},
	{"key_id", text},
	{"user_id", text},
	{"team_id", text},
	{"feature", text},
	{"tags", document},
	{"provider", text},
	{"dialect", text},
	{"model", text},
	{"upstream_model", text},
	{"answered_model", text},
	{"provider_request_id", text},
	{"input_tokens", integer},
	{"cache_read_tokens", integer},
	{"cache_write_tokens", integer},
	{"cache_write_1h_tokens", integer},
	{"audio_input_tokens", integer},
	{"image_input_tokens", integer},
	{"video_input_tokens", integer},
	{"cache_read_audio_tokens", integer},
	{"cache_read_image_tokens", integer},
	{"output_tokens", integer},
	{"reasoning_tokens", integer},
	{"audio_output_tokens", integer},
	{"image_output_tokens", integer},
	{"web_searches", integer},
	{"certainty", text},
	{"usage_invalid", boolean},
	{"recovered", boolean},
	{"cost_nano", integer},
	{"priced", boolean},
	{"at_risk_nano", integer},
	{"tier", text},
	{"price_version", text},
	{"status", integer},
	{"error_class", text},
	{"stream", boolean},
	{"latency_us", integer},
	{"ttft_us", integer},
}

// feature is the tag that has a column of its own.
const feature = "feature"

// noTags is how no tags are stored.
const noTags = "{}"

// row is an entry on its way into the database.
type row struct {
	accounting.Entry
	id      [16]byte
	feature string
	tags    string // the others, as JSON
}

// newRow makes a row of an entry. Its texts are what both databases can keep.
func newRow(e *accounting.Entry) row {
	r := row{Entry: *e, id: attemptID(e.AttemptID)}
	for _, s := range [...]*string{
		&r.RequestID, &r.Key, &r.User, &r.Team, &r.Provider, &r.Dialect, &r.Model, &r.UpstreamModel,
		&r.AnsweredModel, &r.ProviderRequestID, &r.Tier, &r.PriceVersion, &r.ErrorClass,
	} {
		*s = clean(*s)
	}
	r.feature, r.tags = clean(e.Tags[feature]), encodeTags(e.Tags)
	return r
}

// clean returns a text as it is stored: valid UTF-8 without NUL, of which there is none in PostgreSQL, and not too long.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && len(s) <= maxText {
		return s
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) > maxText {
		end := maxText
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	return s
}

// encodeTags returns the tags but the feature as a JSON object with sorted names.
func encodeTags(tags map[string]string) string {
	others := make(map[string]string, len(tags))
	for name, value := range tags {
		if name = clean(name); name != feature && value != "" {
			others[name] = clean(value)
		}
	}
	if len(others) == 0 {
		return noTags
	}
	b, _ := json.Marshal(others) // a map of strings always can
	return string(b)
}

// decodeTags is the inverse of encodeTags.
func decodeTags(document, featureValue string) (map[string]string, error) {
	if document == noTags && featureValue == "" {
		return nil, nil
	}
	tags := map[string]string{}
	if document != noTags {
		if err := json.Unmarshal([]byte(document), &tags); err != nil {
			return nil, err
		}
	}
	if featureValue != "" {
		tags[feature] = featureValue
	}
	return tags, nil
}

// values appends the values of all columns.
func (r *row) values(d Dialect, dst []any) []any {
	u := &r.Usage
	var id any = r.id[:]
	if d == Postgres {
		id = formatID(r.id[:])
	}
	return append(
		dst,
		d.timeArg(r.Time), id, r.RequestID, int64(r.Attempt), r.Key, r.User, r.Team, r.feature, r.tags,
		r.Provider, r.Entry.Dialect, r.Model, r.UpstreamModel, r.AnsweredModel, r.ProviderRequestID,
		u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.InputAudio, u.InputImage, u.InputVideo, u.CacheReadAudio,
		u.CacheReadImage, u.Output, u.Reasoning, u.OutputAudio, u.OutputImage, u.WebSearches,
		r.Certainty.String(), r.UsageInvalid, r.Recovered, int64(r.Cost), r.Priced, int64(r.AtRisk), r.Tier, r.PriceVersion,
		int64(r.Status), r.ErrorClass, r.Stream, r.Latency.Microseconds(), r.TimeToFirstToken.Microseconds(),
	)
}

// selectColumns are the columns, as scanEntry wants them.
func selectColumns(d Dialect) string {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.name)
		if d == Postgres && (c.kind == identifier || c.kind == document) {
			b.WriteString("::text")
		}
	}
	return b.String()
}

// scanned is what a row of usage_log is scanned into.
type scanned struct {
	row
	time          timeColumn
	idBytes       []byte
	certainty     string
	latency, ttft int64
	dest          []any
}

// destinations returns where the columns go.
func (s *scanned) destinations() []any {
	if s.dest == nil {
		u, e := &s.Usage, &s.Entry
		s.dest = []any{
			&s.time, &s.idBytes, &e.RequestID, &e.Attempt, &e.Key, &e.User, &e.Team, &s.feature, &s.tags,
			&e.Provider, &e.Dialect, &e.Model, &e.UpstreamModel, &e.AnsweredModel, &e.ProviderRequestID,
			&u.Input, &u.CacheRead, &u.CacheWrite, &u.CacheWrite1h, &u.InputAudio, &u.InputImage, &u.InputVideo, &u.CacheReadAudio,
			&u.CacheReadImage, &u.Output, &u.Reasoning, &u.OutputAudio, &u.OutputImage, &u.WebSearches,
			&s.certainty, &e.UsageInvalid, &e.Recovered, &e.Cost, &e.Priced, &e.AtRisk, &e.Tier, &e.PriceVersion,
			&e.Status, &e.ErrorClass, &e.Stream, &s.latency, &s.ttft,
		}
	}
	return s.dest
}

// finish derives the entry's fields that the database has in another form.
func (s *scanned) finish(d Dialect) error {
	s.Time = s.time.Time
	s.Latency = time.Duration(s.latency) * time.Microsecond
	s.TimeToFirstToken = time.Duration(s.ttft) * time.Microsecond
	s.Certainty = accounting.Unknown
	for c := accounting.Unknown; c <= accounting.Void; c++ {
		if c.String() == s.certainty {
			s.Certainty = c
		}
	}
	if d == Postgres {
		s.AttemptID = string(s.idBytes)
		s.id = attemptID(s.AttemptID)
	} else {
		s.AttemptID = formatID(s.idBytes)
		copy(s.id[:], s.idBytes)
	}
	var err error
	s.Tags, err = decodeTags(s.tags, s.feature)
	return err
}
