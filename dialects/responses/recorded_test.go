package responses

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// finalOf is the finished response object, found without the code under test.
func finalOf(x *dialecttest.Exchange) (response gjson.Result, deltas int) {
	if !x.Streaming {
		return gjson.Parse(x.Body), 0
	}
	for l := range strings.SplitSeq(x.Body, "\n") {
		data, ok := strings.CutPrefix(strings.TrimSpace(l), "data: ")
		if !ok {
			continue
		}
		if gjson.Get(data, "type").String() == "response.output_text.delta" {
			deltas += len(gjson.Get(data, "delta").String())
		}
		if r := gjson.Get(data, "response"); r.Exists() {
			response = r
		}
	}
	return response, deltas
}

func TestRecordedResponsesAreMetered(t *testing.T) {
	dialecttest.EachRecorded(t, "openai.responses", func(t *testing.T, x *dialecttest.Exchange) {
		m := Codec{}.NewMeter()
		defer m.Release()
		if x.Status != 200 {
			if e := (Codec{}).ParseError(x.Status, []byte(x.Body)); e.Message == "" || e.Type == "" {
				t.Errorf("the error was read as %+v", e)
			}
			return
		}
		var got dialects.Signal
		last := int64(-1)
		if x.Streaming {
			dialecttest.EachFrame(t, strings.NewReader(x.Body), func(ev sse.Event) {
				got |= m.Event(ev)
				if n := gjson.GetBytes(ev.Data, "sequence_number"); n.Exists() {
					last = n.Int()
				}
			})
		} else {
			got = m.Body([]byte(x.Body))
		}
		want, deltas := finalOf(x)
		if want.Get("object").String() == "chat.completion" {
			t.Skip("an answer in another dialect")
		}
		o := m.Observation()
		if got != dialects.SignalContent|dialects.SignalTerminal && want.Get("output.0").Exists() {
			t.Errorf("signals %s", dialecttest.Signals(got))
		}
		u := want.Get("usage")
		in, out := u.Get("input_tokens").Int()+u.Get("prompt_tokens").Int(), u.Get("output_tokens").Int()+u.Get("completion_tokens").Int()
		if !o.UsageKnown || !o.UsageFinal || o.Usage.TotalInput() != in || o.Usage.TotalOutput() != out ||
			o.Usage.CacheRead != u.Get("input_tokens_details.cached_tokens").Int() || o.Usage.Reasoning != u.Get("output_tokens_details.reasoning_tokens").Int() {
			t.Errorf("usage %+v, want that of %s", o.Usage, u.Raw)
		}
		if o.ID != want.Get("id").String() || o.Model != want.Get("model").String() || o.Stop == conversation.StopUnknown {
			t.Errorf("got %+v", o)
		}
		if o.OutputBytes < int64(deltas) || m.(*meter).next != last+1 {
			t.Errorf("%d bytes of output, at least %d were sent; next number %d after %d", o.OutputBytes, deltas, m.(*meter).next, last)
		}
	})
}

func TestRecordedRequestsAreAccepted(t *testing.T) {
	dialecttest.EachRecorded(t, "openai.responses", func(t *testing.T, x *dialecttest.Exchange) {
		if x.Request == nil {
			t.Skip("no request")
		}
		doc := x.Request
		obj := dialecttest.Scan(t, Codec{}, string(doc))
		h, err := Codec{}.Head(doc, obj)
		if err != nil {
			t.Fatal(err)
		}
		if h.Model != gjson.GetBytes(doc, "model").String() || h.Stream != gjson.GetBytes(doc, "stream").Bool() || h.HasTools != gjson.GetBytes(doc, "tools.0").Exists() {
			t.Errorf("got %+v", h)
		}
		edits := Codec{}.Splice(doc, obj, h, dialects.SpliceOptions{Model: "another"}, nil).Edits
		if got := jsonedit.Apply(nil, doc, edits); gjson.GetBytes(got, "model").String() != "another" || len(got) != len(doc)-len(h.Model)+len("another") {
			t.Error("more than the model was changed")
		}
	})
}
