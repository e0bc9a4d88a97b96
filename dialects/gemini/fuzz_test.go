package gemini

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/jsonedit"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// FuzzDecodeRequest holds that whatever is accepted can be encoded to valid JSON, and that this is accepted again, with
// the same conversation in it but for what wraps a tool's answer.
func FuzzDecodeRequest(f *testing.F) {
	for _, seed := range []string{
		ask(`{"text":"hi"},{"inline_data":{"mime_type":"text/plain","data":"aGk="}}`),
		`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}},{"x":{}}]},{"parts":[{"functionResponse":{"name":"f","response":{"output": [1]},"parts":[{"fileData":{"fileUri":"https://x/a.png"}}]}}]}]}`,
		with(`"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","nullable":true,"properties":{"a":{"any_of":[{"type":1}]}}}}],"x":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}`),
		history(string(Codec{}.EncodeResponse(nil, foreign(), "m"))),
		history(string(Codec{}.EncodeResponse(nil, own(), "m"))),
		with(`"generation_config":{"responseSchema":{"enum":["a"]},"seed":"1","thinkingConfig":{"thinkingBudget":-1},"a\"b":1},"a\"b":2`),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := decode(string(body))
		if err != nil {
			return
		}
		o := dialects.EncodeOptions{Model: "gemini-3-flash"}
		once, _, err := Codec{}.EncodeRequest(nil, r, o)
		if err != nil {
			return
		}
		if !json.Valid(once) {
			t.Fatalf("not JSON: %s", once)
		}
		again, err := decode(string(once))
		if err != nil {
			t.Fatalf("%v in %s", err, once)
		}
		twice, _, err := Codec{}.EncodeRequest(nil, again, o)
		if err != nil {
			t.Fatalf("%v\nonce  %s\ntwice %s", err, once, twice)
		}
		if a, b := gjson.GetBytes(once, "contents.#.parts.#"), gjson.GetBytes(twice, "contents.#.parts.#"); a.Raw != b.Raw {
			t.Fatalf("once  %s\ntwice %s", once, twice)
		}
	})
}

// FuzzEventWriter holds that a stream that could be read is written as one that reads the same.
func FuzzEventWriter(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s.stream))
	}
	f.Add([]byte(stream(foreign())))
	f.Add([]byte(stream(own())))
	f.Fuzz(func(t *testing.T, src []byte) {
		var out []byte
		failed := false
		r, w := Codec{}.NewEventReader(), Codec{}.NewEventWriter(dialects.WriterOptions{Model: "m"})
		take := func(events []conversation.Event, err error) {
			failed = failed || err != nil
			for i := range events {
				failed = failed || events[i].Type == conversation.EventError
				out = w.Append(out, &events[i])
			}
		}
		dialecttest.EachFrame(t, bytes.NewReader(src), func(ev sse.Event) {
			if !failed {
				take(r.Read(ev, nil))
			}
		})
		if !failed {
			take(r.End(nil))
		}
		documents(t, string(out))
		if failed {
			return
		}
		if _, err := transcript(t, bytes.NewReader(out)); err != nil {
			t.Fatalf("%v in %q", err, out)
		}
	})
}

func FuzzMeter(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s.stream))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		m := Codec{}.NewMeter()
		defer m.Release()
		var all dialects.Signal
		dialecttest.EachFrame(t, bytes.NewReader(stream), func(ev sse.Event) { all |= m.Event(ev) })
		all |= m.Body(stream)
		o := m.Observation()
		u := o.Usage
		for _, n := range []int64{u.Input, u.CacheRead, u.InputAudio, u.Output, u.Reasoning, u.OutputAudio, u.WebSearches, o.OutputBytes} {
			if n < 0 {
				t.Fatalf("a negative count in %+v", o)
			}
		}
		if (all&dialects.SignalError != 0) != (m.Err() != nil) {
			t.Fatalf("signals %s with error %v", dialecttest.Signals(all), m.Err())
		}
	})
}

func FuzzEventReader(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s.stream))
	}
	f.Add([]byte(frames(part(`{"text":"a"}`, `,"logprobsResult":{"chosenCandidates":[{"token":"a","logProbability":-1}],"topCandidates":[{}]},"finishReason":"STOP"`))))
	f.Fuzz(func(t *testing.T, stream []byte) {
		// transcript checks the order of events.
		if lines, err := transcript(t, bytes.NewReader(stream)); err == nil && lines == "" {
			t.Fatal("a stream without events is complete")
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	for _, seed := range []string{
		ordinaryChunk, `{"promptFeedback":{"blockReason":"SAFETY"}}`, `{"error":{"code":1}}`,
		`{"candidates":[{"content":{"parts":[{"text":"é"},{"functionCall":{}},{"inlineData":{}}]},"groundingMetadata":{"groundingChunks":[{"web":{}}],"groundingSupports":[{"segment":{"startIndex":-1,"endIndex":9},"groundingChunkIndices":[0,-1]}]},"logprobsResult":{"chosenCandidates":[{}]}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Codec{}.DecodeResponse(body)
		if err != nil {
			return
		}
		if len(r.Choices) == 0 {
			t.Fatal("a response without choices and without error")
		}
		for _, c := range r.Choices {
			for _, b := range c.Blocks {
				for _, cite := range b.Citations {
					if cite.Start < 0 || cite.End < cite.Start || cite.End > len([]rune(b.Text)) {
						t.Fatalf("a citation of %d-%d in a text of %d characters", cite.Start, cite.End, len([]rune(b.Text)))
					}
				}
			}
		}
	})
}

func FuzzPartialArgs(f *testing.F) {
	f.Add(`$.a[1]['b']`, "x")
	f.Fuzz(func(t *testing.T, path, value string) {
		var p partialArgs
		if err := p.add(pieceAt(path, `"numberValue":1`)); err == nil && !isObject(p.String()) {
			t.Fatalf("%s made %s", path, p.String())
		}
		if err := p.add(pieceAt("$.s", string(jsonedit.AppendString([]byte(`"stringValue":`), value)))); err != nil || !isObject(p.String()) {
			t.Fatalf("%q made %s, %v", value, p.String(), err)
		}
	})
}

// FuzzOpenAPI holds that a schema stays a JSON object, however it is rewritten.
func FuzzOpenAPI(f *testing.F) {
	f.Add([]byte(`{"type":["object","null"],"properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"anyOf":[{"const":"x"},{"enum":[1]},{"type":"null"}]}}}`))
	f.Fuzz(func(t *testing.T, schema []byte) {
		if !isObject(string(schema)) {
			return
		}
		if out, _ := appendOpenAPI(nil, schema); !isObject(string(out)) {
			t.Fatalf("%s became %s", schema, out)
		}
	})
}

// FuzzSpliceSignatures holds that taking out the thoughts of other vendors leaves a valid document that has none.
func FuzzSpliceSignatures(f *testing.F) {
	f.Add([]byte(history(string(Codec{}.EncodeResponse(nil, foreign(), "m")))))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var obj jsonedit.Object
		if jsonedit.Scan(doc, knownKeys, jsonedit.Limits{}, &obj) != nil {
			return
		}
		out := jsonedit.Apply(nil, doc, Codec{}.Splice(doc, &obj, dialects.Head{}, dialects.SpliceOptions{Model: "m"}, nil).Edits)
		if !json.Valid(out) {
			t.Fatalf("%s became %s", doc, out)
		}
		if gjson.GetBytes(out, `contents.#.parts.#(thoughtSignature%"`+wireLabel+`*")#|@flatten|0`).Exists() {
			t.Fatalf("a foreign signature in %s", out)
		}
	})
}

// FuzzUsage checks what is made of usage that cannot be true.
func FuzzUsage(f *testing.F) {
	dialecttest.FuzzUsage(f, Codec{}, func(usage string) sse.Event {
		return sse.Event{Data: []byte(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":` + usage + `}`)}
	}, `{"promptTokenCount":N,"candidatesTokenCount":N,"thoughtsTokenCount":N,"toolUsePromptTokenCount":N,"cachedContentTokenCount":N,"totalTokenCount":N}`,
		`{"promptTokenCount":9,"candidatesTokenCount":9,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":N},{"modality":"IMAGE","tokenCount":N}],"candidatesTokensDetails":[{"modality":2,"tokenCount":N}]}`)
}
