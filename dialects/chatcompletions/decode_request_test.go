package chatcompletions

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

func TestTheOrderOfMembersDoesNotMatter(t *testing.T) {
	ask := func(message, members string) string {
		return `{"model":"m","messages":[{"role":"assistant","content":"x","tool_calls":[{"id":"c","function":{"name":"f"}}]},` +
			message + `]` + members + `}`
	}
	for _, tt := range []struct{ name, a, b string }{
		{"of a message", ask(`{"role":"user","name":"ada","content":"x\n"}`, ""), ask(`{"content":"x\n","name":"ada","role":"user"}`, "")},
		{"of a result", ask(`{"role":"tool","tool_call_id":"c","content":{"n":1}}`, ""), ask(`{"content":{"n":1},"tool_call_id":"c","role":"tool"}`, "")},
		{
			"of thoughts",
			ask(`{"role":"assistant","reasoning":"a","reasoning_content":"b","content":[{"type":"text","text":"c"}],"refusal":"d","audio":{"id":"e"}}`, ""),
			ask(`{"audio":{"id":"e"},"refusal":"d","content":[{"text":"c","type":"text"}],"reasoning_content":"b","reasoning":"a","role":"assistant"}`, ""),
		},
		{
			"of thoughts that are null", ask(`{"role":"assistant","content":"x","reasoning":"a","reasoning_content":null}`, ""),
			ask(`{"role":"assistant","content":"x","reasoning_content":null,"reasoning":"a"}`, ""),
		},
		{
			"of a call",
			ask(`{"role":"assistant","tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]}`, ""),
			ask(`{"tool_calls":[{"function":{"arguments":"{\"a\": 1}","name":"f"},"type":"function","id":"i"}],"role":"assistant"}`, ""),
		},
		{
			"of a free-text call",
			ask(`{"role":"assistant","tool_calls":[{"type":"custom","id":"i","custom":{"name":"f","input":"x"},"function":null}]}`, ""),
			ask(`{"role":"assistant","tool_calls":[{"function":null,"custom":{"input":"x","name":"f"},"id":"i","type":"custom"}]}`, ""),
		},
		{
			"of parts",
			ask(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com","detail":"low"},"cache_control":{"type":"ephemeral","ttl":"1h"}}]}`, ""),
			ask(`{"role":"user","content":[{"cache_control":{"ttl":"1h","type":"ephemeral"},"image_url":{"detail":"low","url":"https://example.com"},"type":"image_url"}]}`, ""),
		},
		{
			"of tools",
			ask(`{"role":"user","content":"x"}`, `,"tools":[{"type":"function","cache_control":{},"function":{"name":"f","strict":true,"parameters":{}}}]`),
			ask(`{"role":"user","content":"x"}`, `,"tools":[{"function":{"parameters":{},"strict":true,"name":"f"},"cache_control":{},"type":"function"}]`),
		},
		{
			"of flat tools",
			ask(`{"role":"user","content":"x"}`, `,"tools":[{"type":"function","name":"f","cache_control":{},"parameters":{}}]`),
			ask(`{"role":"user","content":"x"}`, `,"tools":[{"parameters":{},"cache_control":{},"name":"f","type":"function"}]`),
		},
		{
			"of a tool choice",
			ask(`{"role":"user","content":"x"}`, `,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}`),
			ask(`{"role":"user","content":"x"}`, `,"tool_choice":{"allowed_tools":{"tools":[{"function":{"name":"f"},"type":"function"}],"mode":"auto"},"type":"allowed_tools"}`),
		},
		{
			"of a format",
			ask(`{"role":"user","content":"x"}`, `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}}`),
			ask(`{"role":"user","content":"x"}`, `,"response_format":{"json_schema":{"schema":{},"name":"n"},"type":"json_schema"}`),
		},
		{
			"of reasoning", ask(`{"role":"user","content":"x"}`, `,"reasoning":{"enabled":true,"max_tokens":7}`),
			ask(`{"role":"user","content":"x"}`, `,"reasoning":{"max_tokens":7,"enabled":true}`),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := dialecttest.MustDecode(t, Codec{}, tt.a), dialecttest.MustDecode(t, Codec{}, tt.b)
			if !reflect.DeepEqual(a, b) {
				t.Errorf("got  %+v\nwant %+v", b, a)
			}
		})
	}
}

func TestMembersAfterOnesThatWereReadLateAreNotLost(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","reasoning":{"max_tokens":7},"response_format":{"type":"json_object"},
		"tool_choice":{"allowed_tools":{"mode":"auto","tools":[]}},"tools":[{"type":"web_search","x":[1]},{"type":"function","function":{"name":"f"}}],
		"messages":[{"content":[{"type":"mystery","x":{}},{"text":"a","type":"text"}],"role":"user"},{"role":"user","content":"b"}],"top_k":3}`)
	if len(r.Messages) != 2 || len(r.Messages[0].Blocks) != 2 || len(r.Tools) != 2 || r.TopK != "3" {
		t.Errorf("got %+v", r)
	}
	if got := string(r.Tools[0].Raw); got != `{"type":"web_search","x":[1]}` {
		t.Errorf("the tool became %s", got)
	}
}

func TestTheFirstFaultEndsTheWork(t *testing.T) {
	_, err := dialecttest.Decode(Codec{}, `{"model":"m","temperature":[],"messages":[{"role":"robot"}],"tools":7}`)
	var e *dialects.RequestError
	if !errors.As(err, &e) || e.Param != "temperature" || e.Message != "temperature must be a number" {
		t.Errorf("got %v", err)
	}
}

// Without the limit, a turn of a hundred thousand calls could be made to take minutes.
func TestResultsWithoutIDAnswerTheFirstCallsOfATurn(t *testing.T) {
	doc := func(calls int, results ...string) string {
		var b strings.Builder
		b.WriteString(`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c0","function":{"name":"f"}}`)
		for i := range calls - 1 {
			fmt.Fprintf(&b, `,{"id":"c%d","function":{"name":"f"}}`, i+1)
		}
		b.WriteString(`]}`)
		for _, result := range results {
			b.WriteString(`,{"role":"tool","content":"x"` + result + `}`)
		}
		return b.String() + `]}`
	}
	r := dialecttest.MustDecode(t, Codec{}, doc(10*maxOpen, `,"tool_call_id":"c0"`, "", fmt.Sprintf(`,"tool_call_id":"c%d"`, 10*maxOpen-1)))
	for i, want := range []string{"c0", "c1", fmt.Sprintf("c%d", 10*maxOpen-1)} {
		if got := r.Messages[1].Blocks[i].Result; got.CallID != want || got.Name != "f" {
			t.Errorf("result %d answers %s of %q, want %s", i, got.CallID, got.Name, want)
		}
	}
	var e *dialects.RequestError
	if _, err := dialecttest.Decode(Codec{}, doc(maxOpen+1, make([]string, maxOpen+1)...)); !errors.As(err, &e) || e.Param != fmt.Sprintf("messages[%d].tool_call_id", maxOpen+1) {
		t.Errorf("got %v, want an error about the result that fits to no call", err)
	}
}

func TestDecodingAllocatesInLargePieces(t *testing.T) {
	for _, tt := range []struct {
		name, doc string
		most      float64
	}{{"a question", smallRequest, 4}, {"40 tool calls and 30 tools", largeRequest(), 130}} {
		doc := []byte(tt.doc)
		_, h, err := dialecttest.Head(Codec{}, doc)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(20, func() {
			if _, err := (Codec{}).DecodeRequest(doc, h); err != nil {
				t.Fatal(err)
			}
		}); n > tt.most {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}

func TestMembersOfMessagesThatCannotBeKeptAreNamed(t *testing.T) {
	r := dialecttest.MustDecode(t, Codec{}, `{"model":"m","messages":[{"role":"user","content":"x","audio":null},{"role":"assistant","content":"y","prefix":true,"annotations":[],"tool_calls":null},{"role":"assistant","content":"z","prefix":true,"weight":1,"hidden":false}]}`)
	body, notes, err := Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: "m", Vendor: "vllm"})
	if err != nil || !slices.Equal(notes, []string{"messages.prefix", "messages.weight"}) {
		t.Errorf("the notes are %q, %v", notes, err)
	}
	if v := dialecttest.ValidJSON(t, body); v.Get("messages\\.prefix").Exists() || v.Get("messages.#").Int() != 3 {
		t.Errorf("sent %s", body)
	}
}
