package gemini

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
)

// requestDecoder reads one request body. Its methods read the value that comes next in the document. The first fault
// ends the work.
type requestDecoder struct {
	in  jsonedit.Reader
	req *conversation.Request
	err error
	callLog
	// blocks is room for the one block that most messages have.
	blocks []conversation.Block
}

// DecodeRequest implements [dialects.Decoder]. Names are read in both spellings, and a member that is null counts as
// absent. What lives at Google alone, a cached content, is refused: another vendor could answer only half the request.
func (Codec) DecodeRequest(doc []byte, h dialects.Head) (*conversation.Request, error) {
	d := requestDecoder{in: jsonedit.NewReader(doc), req: &conversation.Request{
		Model: h.Model, Stream: h.Stream, User: h.EndUser, Origin: origin,
	}}
	if d.in.Peek() != '{' {
		return nil, dialects.BadRequest("", "the request body must be a JSON object")
	}
	var contents, system jsonedit.Mark
	for ok := d.in.Object(); ok; ok = d.in.Next() {
		p := dialects.Place{Key: d.key()}
		switch {
		case d.in.Peek() == 'n':
		case p.Key == "contents":
			contents = d.in.Mark()
		case p.Key == "systemInstruction":
			system = d.in.Mark()
		default:
			d.member(&p)
		}
	}
	// The prompt comes first, wherever it stands in the body.
	if d.err == nil && system != 0 {
		d.in.Seek(system)
		d.system(&dialects.Place{Key: "systemInstruction"})
	}
	if d.err == nil {
		d.in.Seek(contents)
		d.contents(&dialects.Place{Key: "contents"})
	}
	if d.err != nil {
		return nil, d.err
	}
	return d.req, nil
}

// member reads one top-level member other than the conversation itself. What the neutral form has no field for is kept
// for targets of this dialect.
func (d *requestDecoder) member(p *dialects.Place) {
	switch p.Key {
	case "model":
		// in the path
	case "tools":
		d.tools(p)
	case "toolConfig":
		d.toolConfig(p)
	case "generationConfig":
		d.config(p)
	case "cachedContent":
		if s := d.str(p); s != "" {
			d.fail(p, "cachedContent is stored at Google, and the provider of this model is another: send the content itself")
		}
	case "serviceTier":
		d.req.ServiceTier = d.tier()
	default:
		d.extra(p.Key)
	}
}

// tier reads a service tier in OpenAI's words, which differ for the default.
func (d *requestDecoder) tier() string {
	switch s := strings.ToLower(d.scalar()); s {
	case "standard":
		return "default"
	case "unspecified":
		return ""
	default:
		return s
	}
}

func (d *requestDecoder) extra(name string) {
	d.req.Extra = append(d.req.Extra, conversation.Field{Name: name, Value: d.in.Raw()})
}

// lost names something inside of the conversation or the tools that the neutral form has no field for, once. It is of no
// use to any target, but encoders note it.
func (d *requestDecoder) lost(name string) {
	if !conversation.HasField(d.req.Extra, name) {
		d.extra(name)
	}
}

// fail records what is wrong with the value at p, and ends the reading.
func (d *requestDecoder) fail(p *dialects.Place, format string, args ...any) {
	if d.err == nil {
		d.err = dialects.BadRequest(p.Path(), format, args...)
		d.in.Stop()
	}
}

// key reads the name of a member in camelCase.
func (d *requestDecoder) key() string { return canonical(d.in.Key()) }

// canonical is the camelCase spelling of a name. Most have it already.
func canonical(key string) string {
	if strings.IndexByte(key, '_') <= 0 {
		return key
	}
	return camel(key)
}

// list enters an array, or takes a single value for a list of one, as protobuf's parser does. Its loops read
//
//	for ok, one := d.list(p); ok; ok = !one && d.in.Next()
func (d *requestDecoder) list(p *dialects.Place) (ok, single bool) {
	switch d.in.Peek() {
	case '[':
		return d.in.Array(), false
	case '{':
		return true, true
	case 0, 'n':
		return false, true
	}
	d.fail(p, "%s must be a list", p.Path())
	return false, true
}

// object enters an object; null is one without members.
func (d *requestDecoder) object(p *dialects.Place) bool {
	if c := d.in.Peek(); c != '{' && c != 'n' && c != 0 {
		d.fail(p, "%s must be an object", p.Path())
		return false
	}
	return d.in.Object()
}

func (d *requestDecoder) str(p *dialects.Place) string {
	s, ok := d.in.Text()
	if !ok && d.in.Peek() != 'n' {
		d.fail(p, "%s must be a string", p.Path())
	}
	return s
}

// scalar reads a string or a number as it is written, "" for anything else: numbers may stand in quotation marks, and
// enums may be numbers.
func (d *requestDecoder) scalar() string {
	if s, ok := d.in.Text(); ok {
		return s
	}
	if d.in.Peek() == '0' {
		return jsonedit.View(d.in.Raw())
	}
	return ""
}

func (d *requestDecoder) integer(p *dialects.Place) *int64 {
	if d.in.Peek() == 'n' {
		return nil
	}
	s := d.scalar()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > jsonedit.MaxCount {
			d.fail(p, "%s must be an integer", p.Path())
			return nil
		}
		n = int64(f)
	}
	return &n
}

func (d *requestDecoder) number(p *dialects.Place) conversation.Number {
	if d.in.Peek() == 'n' {
		return ""
	}
	n := d.scalar()
	if f, err := strconv.ParseFloat(n, 64); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		d.fail(p, "%s must be a number", p.Path())
		return ""
	} else if !json.Valid([]byte(n)) { // proto3 JSON takes numbers as strings, too, in forms that JSON has not
		n = strconv.FormatFloat(f, 'g', -1, 64)
	}
	return conversation.Number(n)
}

func (d *requestDecoder) boolean(p *dialects.Place) *bool {
	switch d.in.Peek() {
	case 't', 'f':
		b := d.in.Peek() == 't'
		return &b
	case 'n':
		return nil
	}
	d.fail(p, "%s must be true or false", p.Path())
	return nil
}

// texts reads a list of strings, or a single one.
func (d *requestDecoder) texts(p *dialects.Place) (list []string) {
	if s, ok := d.in.Text(); ok {
		return []string{s}
	}
	if d.in.Peek() != '[' {
		d.fail(p, "%s must be a list of strings", p.Path())
		return nil
	}
	for ok := d.in.Array(); ok; ok = d.in.Next() {
		s, isText := d.in.Text()
		if !isText {
			d.fail(p, "%s must be a list of strings", p.Path())
			return nil
		}
		list = append(list, s)
	}
	return list
}
