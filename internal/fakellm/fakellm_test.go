package fakellm

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"
)

const askUsage = `,"stream_options":{"include_usage":true}`

func TestStreamsSayWhatUnaryAnswersSay(t *testing.T) {
	s := New(Options{Preamble: "Simulated.", Journal: true})
	tool := map[string]string{
		Chat:      `,"tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city","days"]}}}]`,
		Responses: `,"tools":[{"type":"function","name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}}}]`,
		Messages:  `,"tools":[{"name":"get_weather","input_schema":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}}}}]`,
		Gemini:    `,"tools":[{"functionDeclarations":[{"name":"get_weather","parameters":{"type":"OBJECT","properties":{"city":{"type":"STRING"},"days":{"type":"INTEGER"}}}}]}]`,
	}
	limit := map[string]string{
		Chat: `,"max_tokens":3`, Responses: `,"max_output_tokens":3`, Messages: `,"max_tokens":3`, Gemini: `,"generationConfig":{"maxOutputTokens":3}`,
	}
	finishes := map[string][3]string{
		Chat: {"stop", "tool_calls", "length"}, Responses: {"completed", "completed", "incomplete"},
		Messages: {"end_turn", "tool_use", "max_tokens"}, Gemini: {"STOP", "STOP", "MAX_TOKENS"},
	}
	for dialect, path := range paths {
		for i, tc := range []struct{ name, prompt, more string }{
			{"text", "Tell me \"something\" 日本", ""},
			{"a tool call", "please call get_weather now", tool[dialect]},
			{"the output limit", "Tell me more", limit[dialect]},
		} {
			t.Run(dialect+" "+tc.name, func(t *testing.T) {
				unaryBody := bodyOf(dialect, tc.prompt, false, tc.more)
				if dialect == Messages && i == 2 {
					unaryBody = strings.Replace(unaryBody, `"max_tokens":1000,`, "", 1)
				}
				streamBody := strings.Replace(unaryBody, `"stream":false`, `"stream":true`, 1)
				if dialect == Chat {
					streamBody = strings.TrimSuffix(streamBody, "}") + askUsage + "}"
				}
				resp, body := do(t, s, path[0], unaryBody)
				if resp.StatusCode != 200 || !gjson.Valid(body) {
					t.Fatalf("%d %s", resp.StatusCode, body)
				}
				_, stream := do(t, s, path[1], streamBody)
				want, got := readUnary(dialect, body), readStream(t, dialect, stream)
				if got != want {
					t.Errorf("unary %+v\nstream %+v", want, got)
				}
				if want.finish != finishes[dialect][i] || want.input == 0 || want.output == 0 {
					t.Errorf("said %+v", want)
				}
				switch i {
				case 0:
					if !strings.HasPrefix(want.text, "Simulated. ") {
						t.Errorf("text %q", want.text)
					}
				case 1:
					if want.tool != "get_weather" || want.arguments != `{"city":"example","days":1}` {
						t.Errorf("called %s(%s)", want.tool, want.arguments)
					}
				case 2:
					if want.output != 3 || len(strings.Fields(want.text)) != 3 {
						t.Errorf("said %+v", want)
					}
				}
				j := s.Journal()
				for _, x := range j[len(j)-2:] {
					if int64(x.InputTokens) != want.input || int64(x.OutputTokens) != want.output || !x.Complete || x.Dialect != dialect || x.Model != "m" {
						t.Errorf("booked %+v, said %+v", x, want)
					}
				}
			})
		}
	}
}

func TestTheSameRequestGetsTheSameAnswer(t *testing.T) {
	a, b := New(Options{}), New(Options{})
	for dialect, path := range paths {
		body := bodyOf(dialect, "hello", true, "")
		_, first := do(t, a, path[1], body)
		_, cached := do(t, a, path[1], body)
		_, other := do(t, b, path[1], body)
		_, different := do(t, b, path[1], bodyOf(dialect, "hello!", true, ""))
		if first != cached || first != other || first == different {
			t.Errorf("%s: answers differ", dialect)
		}
	}
}

func TestChatStreamsTellTheUsageOnlyWhenAsked(t *testing.T) {
	s := New(Options{})
	for more, want := range map[string]bool{"": false, askUsage: true} {
		_, stream := do(t, s, "/v1/chat/completions", bodyOf(Chat, "x", true, more))
		if got := strings.Contains(stream, `"choices":[],"usage":{`); got != want || !strings.HasSuffix(stream, "data: [DONE]\n\n") {
			t.Errorf("asked %v: %s", want, stream)
		}
	}
}

func TestAToolIsCalledOnlyForAReason(t *testing.T) {
	tools := `,"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]`
	for _, tc := range []struct{ name, body, want string }{
		{"not asked for", bodyOf(Chat, "hello", false, tools), ""},
		{"only mentioned", bodyOf(Chat, "you may use g", false, tools), ""},
		{"asked for with more of a word", bodyOf(Chat, "please call go", false, tools), ""},
		{"asked for", bodyOf(Chat, "please call me, or please call g!", false, tools), "g"},
		{"required", bodyOf(Chat, "hello", false, tools+`,"tool_choice":"required"`), "f"},
		{"forced", bodyOf(Chat, "hello", false, tools+`,"tool_choice":{"type":"function","function":{"name":"g"}}`), "g"},
		{"forbidden", bodyOf(Chat, "please call g", false, tools+`,"tool_choice":"none"`), ""},
		{"answered", `{"model":"m","messages":[{"role":"user","content":"please call g"},{"role":"tool","content":"g says 7"}]` + tools + `}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, body := do(t, New(Options{}), "/v1/chat/completions", tc.body)
			if got := readUnary(Chat, body); got.tool != tc.want || (got.text == "") != (tc.want != "") {
				t.Errorf("said %+v", got)
			}
		})
	}
}

func TestExamplesFitTheirSchema(t *testing.T) {
	for schema, want := range map[string]string{
		``:                  `{}`,
		`{"type":"object"}`: `{}`,
		`{"type":"object","properties":{"a":{"enum":["x","y"]},"b":{"type":["string","null"]},"c":{"type":"number","minimum":5}}}`: `{"a":"x","b":"example","c":5}`,
		`{"properties":{"a":{"type":"array","minItems":1,"items":{"type":"boolean"}},"b":{"type":"array"}}}`:                       `{"a":[true],"b":[]}`,
		`{"properties":{"a":{"anyOf":[{"type":"null"}]},"b":{"const":7},"c":{"default":"d"}}}`:                                     `{"a":null,"b":7,"c":"d"}`,
		`{"properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["b"]}`:                                            `{"b":"example"}`,
		strings.Repeat(`{"properties":{"a":`, 40) + `{}` + strings.Repeat(`}}`, 40):                                                strings.Repeat(`{"a":`, 17) + `null` + strings.Repeat(`}`, 17),
	} {
		if got := string(appendExample(nil, gjson.Parse(schema), 0)); got != want {
			t.Errorf("%s: got %s, want %s", schema, got, want)
		}
	}
}

func TestListsAndCounts(t *testing.T) {
	s := New(Options{Models: []string{"a", "b"}})
	for _, tc := range []struct{ name, path, body, query, want string }{
		{"models", "/v1/models", "", "data.#.id", `["a","b"]`},
		{"Gemini's models", "/v1beta/models", "", "models.#.name", `["models/a","models/b"]`},
		{"count", "/v1/messages/count_tokens", `{"model":"m","messages":[{"role":"user","content":"12345678"}]}`, "input_tokens", "2"},
		{"Gemini's count", "/v1beta/models/m:countTokens", `{"contents":[{"parts":[{"text":"123456789"}]}]}`, "totalTokens", "3"},
		{"one embedding", "/v1/embeddings", `{"model":"m","input":"12345678"}`, "data.0.embedding.#", "8"},
		{"its usage", "/v1/embeddings", `{"model":"m","input":"12345678"}`, "usage.prompt_tokens", "2"},
		{"two embeddings", "/v1/embeddings", `{"model":"m","input":["a","b"],"dimensions":3}`, "data.#.embedding.#", "[3,3]"},
		{"tokens", "/v1/embeddings", `{"model":"m","input":[1,2,3]}`, "data.#", "1"},
		{"base64", "/v1/embeddings", `{"model":"m","input":"a","dimensions":3,"encoding_format":"base64"}`, "data.0.embedding.@this", ""},
		{"Gemini's embedding", "/v1beta/models/m:embedContent", `{"content":{"parts":[{"text":"a"}]},"outputDimensionality":2}`, "embedding.values.#", "2"},
		{"Gemini's batch", "/v1beta/models/m:batchEmbedContents", `{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}`, "embeddings.#", "2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, body := do(t, s, tc.path, tc.body)
			if !gjson.Valid(body) {
				t.Fatal(body)
			}
			got := gjson.Get(body, tc.query).Raw
			if tc.name == "base64" {
				if len(got) != len(`"`)*2+16 {
					t.Errorf("got %s", got)
				}
				return
			}
			if tc.want != got && gjson.Get(body, tc.query).String() != tc.want {
				t.Errorf("got %s in %s", got, body)
			}
		})
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/models", nil)
	r.Header.Set("Anthropic-Version", "2023-06-01")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if gjson.Get(w.Body.String(), "data.0.display_name").String() != "a" {
		t.Errorf("got %s", w.Body)
	}
}

func TestConcurrentRequestsAreAllBooked(t *testing.T) {
	s := New(Options{Journal: true})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { do(t, s, "/v1/responses", bodyOf(Responses, fmt.Sprint(i%5), i%2 == 0, "")) })
	}
	wg.Wait()
	ids := map[string]bool{}
	for _, x := range s.Journal() {
		ids[x.ID] = x.Complete
	}
	if len(ids) != 50 {
		t.Errorf("%d requests", len(ids))
	}
	for id, complete := range ids {
		if !complete {
			t.Errorf("%s is not complete", id)
		}
	}
}

func BenchmarkStream(b *testing.B) {
	s := New(Options{})
	body := []byte(bodyOf(Chat, "hello", true, askUsage))
	buf := make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", bytes.NewReader(body))
		resp, err := s.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = resp.Body.Read(buf)
		}
	}
}
