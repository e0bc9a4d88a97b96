package gemini

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

func TestASystemBlockOfAnotherVendorIsLeftOutWithANote(t *testing.T) {
	r := &conversation.Request{Messages: []conversation.Message{
		{Role: conversation.System, Blocks: []conversation.Block{
			{Kind: conversation.Opaque, Origin: "messages", Raw: []byte(`{"type":"text","text":"x-anthropic-billing-header: v=1;"}`)},
			{Kind: conversation.Text, Text: "Be brief."},
		}},
		{Role: conversation.User, Blocks: []conversation.Block{{Kind: conversation.Text, Text: "hi"}}},
	}}
	body, notes, err := Codec{}.EncodeRequest(nil, r, dialects.EncodeOptions{Model: "gemini-3-pro"})
	if err != nil {
		t.Fatal(err)
	}
	if want := `"systemInstruction":{"parts":[{"text":"Be brief."}]}`; !strings.Contains(string(body), want) || strings.Contains(string(body), "billing") {
		t.Errorf("got %s", body)
	}
	if strings.Join(notes, " ") != "system" {
		t.Errorf("notes %v", notes)
	}
}

func TestEncodeContents(t *testing.T) {
	signed := callOf("c1", "f", `{"a": 1}`)
	signed.Signature, signed.Origin = "c2ln", "gemini"
	foreign := callOf("c1", "f", `{}`)
	foreign.Signature, foreign.Origin = "xyz", "messages"
	for _, c := range []struct {
		name, model string
		vendor      string
		messages    []conversation.Message
		want, notes string
	}{
		{
			name: "system prompts are hoisted in their order, empty ones dropped",
			messages: []conversation.Message{
				say(conversation.System, words("Be brief."), words("")), say(user, words("Hi")),
				say(conversation.Developer, words("And kind.")),
			},
			want: `{"systemInstruction":{"parts":[{"text":"Be brief."},{"text":"And kind."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}`,
		},
		{
			name:     "a system prompt alone is what the user says",
			messages: []conversation.Message{say(conversation.System, words("Tell a joke."))},
			want:     `{"contents":[{"role":"user","parts":[{"text":"Tell a joke."}]}]}`,
		},
		{
			name:     "so it is when the user says nothing",
			messages: []conversation.Message{say(conversation.System, words("Tell a joke.")), say(user, words(""))},
			want:     `{"contents":[{"role":"user","parts":[{"text":"Tell a joke."}]}]}`,
		},
		{
			name: "messages of one speaker are merged, empty ones left out",
			messages: []conversation.Message{
				say(user, words("a")), say(user, words("b")), say(assistant, words("")), say(assistant, words("c")),
				say(assistant, words("d")), say(user, words("e")),
			},
			want: `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]},{"role":"model","parts":[{"text":"c"},{"text":"d"}]},{"role":"user","parts":[{"text":"e"}]}]}`,
		},
		{
			name: "results of parallel calls are one content in the order of the calls, apart from what the user says",
			messages: []conversation.Message{
				say(user, words("go")), say(assistant, callOf("c1", "f", ``), callOf("c2", "g", `{"z":1,"a":2.50}`)),
				say(user, resultOf("c2", words("two"))), say(user, resultOf("c1", words("one"))), say(user, words("next")),
			},
			want: `{"contents":[{"role":"user","parts":[{"text":"go"}]},` +
				`{"role":"model","parts":[{"functionCall":{"name":"f","args":{},"id":"c1"}},{"functionCall":{"name":"g","args":{"z":1,"a":2.50},"id":"c2"}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"one"},"id":"c1"}},{"functionResponse":{"name":"g","response":{"output":"two"},"id":"c2"}}]},` +
				`{"role":"user","parts":[{"text":"next"}]}]}`,
		},
		{
			name: "results are objects: their own, an output, or an error",
			messages: []conversation.Message{
				say(assistant, callOf("1", "f", "{}"), callOf("2", "f", "{}"), callOf("3", "f", "{}"), callOf("4", "f", "{}")),
				say(user, resultOf("1", words(`{"b":1,"a":[]}`)), resultOf("2", words(`[1]`)), resultOf("3"),
					conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "4", IsError: true, Content: []conversation.Block{words("it"), words("broke")}}}),
			},
			want: `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{},"id":"1"}},{"functionCall":{"name":"f","args":{},"id":"2"}},{"functionCall":{"name":"f","args":{},"id":"3"}},{"functionCall":{"name":"f","args":{},"id":"4"}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"b":1,"a":[]},"id":"1"}},{"functionResponse":{"name":"f","response":{"output":"[1]"},"id":"2"}},{"functionResponse":{"name":"f","response":{"output":""},"id":"3"}},{"functionResponse":{"name":"f","response":{"error":"it\nbroke"},"id":"4"}}]}]}`,
		},
		{
			name: "a failure that names itself is not wrapped again, and what only another dialect understands is told",
			messages: []conversation.Message{
				say(assistant, callOf("1", "f", "{}"), callOf("2", "f", "{}"), callOf("3", "f", "{}")),
				say(user, conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "1", IsError: true, Content: []conversation.Block{words(`{"error":"no"}`)}}},
					conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{CallID: "2", IsError: true, Content: []conversation.Block{words(`{"code":1}`)}}},
					resultOf("3", words("see"), conversation.Block{Kind: conversation.Opaque, Origin: "messages", Raw: json.RawMessage(`{"type": "tool_reference", "tool_name": "x"}`)})),
			},
			want: `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{},"id":"1"}},{"functionCall":{"name":"f","args":{},"id":"2"}},{"functionCall":{"name":"f","args":{},"id":"3"}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"error":"no"},"id":"1"}},{"functionResponse":{"name":"f","response":{"error":"{\"code\":1}"},"id":"2"}},` +
				`{"functionResponse":{"name":"f","response":{"output":"see\n{\"type\":\"tool_reference\",\"tool_name\":\"x\"}"},"id":"3"}}]}]}`,
		},
		{
			name:     "arguments that are no object become an input",
			messages: []conversation.Message{say(assistant, callOf("", "f", `{"a": "cut`), callOf("", "f", `"text"`), callOf("", "f", ` {} `))},
			want:     `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"input":"{\"a\": \"cut"}}},{"functionCall":{"name":"f","args":{"input":"\"text\""}}},{"functionCall":{"name":"f","args": {} }}]}]}`,
		},
		{
			name: "Gemini 3 gets its own signatures back", model: "gemini-3-pro-preview",
			messages: []conversation.Message{say(assistant, signed, callOf("c2", "g", "{}"))},
			want:     `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a": 1},"id":"c1"},"thoughtSignature":"c2ln"},{"functionCall":{"name":"g","args":{},"id":"c2"}}]}]}`,
		},
		{
			name: "Gemini 3 gets the stand-in on the first call of each step of another model", model: "models/gemini-3.1-flash",
			messages: []conversation.Message{say(assistant, foreign, callOf("c2", "g", "{}")), say(user, resultOf("c1"), resultOf("c2")), say(assistant, callOf("c3", "f", "{}"))},
			want: `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{},"id":"c1"},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"name":"g","args":{},"id":"c2"}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":""},"id":"c1"}},{"functionResponse":{"name":"g","response":{"output":""},"id":"c2"}}]},` +
				`{"role":"model","parts":[{"functionCall":{"name":"f","args":{},"id":"c3"},"thoughtSignature":"skip_thought_signature_validator"}]}]}`,
		},
		{
			name: "thoughts and opaque parts go back to Gemini only", model: "gemini-2.5-pro",
			messages: []conversation.Message{say(assistant,
				conversation.Block{Kind: conversation.Thinking, Text: "hm", Signature: "s", Origin: "messages"},
				conversation.Block{Kind: conversation.Thinking, Text: "well", Signature: "s", Origin: "gemini"},
				conversation.Block{Kind: conversation.Opaque, Raw: json.RawMessage(`{"executableCode":{"code":"1"}}`), Origin: "gemini"},
				conversation.Block{Kind: conversation.Opaque, Raw: json.RawMessage(`{"type":"server_tool_use"}`), Origin: "messages"},
				conversation.Block{Text: "", Signature: "t", Origin: "gemini"})},
			want:  `{"contents":[{"role":"model","parts":[{"text":"well","thought":true,"thoughtSignature":"s"},{"executableCode":{"code":"1"}},{"text":"","thoughtSignature":"t"}]}]}`,
			notes: "thinking server_tools",
		},
		{
			name: "media goes inline, by reference, or as text",
			messages: []conversation.Message{say(user,
				mediaBlock(conversation.Image, conversation.Media{MIME: "image/jpg", Data: "AAAA", Detail: "high"}),
				mediaBlock(conversation.Image, conversation.Media{Data: "iVBORw0KGgoAAA"}),
				mediaBlock(conversation.Document, conversation.Media{URL: "https://example.com/a.PDF?x=1#p"}),
				mediaBlock(conversation.Video, conversation.Media{URL: "https://www.youtube.com/watch?v=1"}),
				mediaBlock(conversation.Audio, conversation.Media{URL: "gs://b/a.mp3", MIME: "audio/mpeg"}),
				mediaBlock(conversation.Document, conversation.Media{Text: "plain", Title: "T"}),
				mediaBlock(conversation.Document, conversation.Media{FileID: "files/abc", Origin: "gemini"}))},
			want: `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/jpeg","data":"AAAA"}},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgoAAA"}},` +
				`{"fileData":{"mimeType":"application/pdf","fileUri":"https://example.com/a.PDF?x=1#p"}},{"fileData":{"fileUri":"https://www.youtube.com/watch?v=1"}},` +
				`{"fileData":{"mimeType":"audio/mpeg","fileUri":"gs://b/a.mp3"}},{"text":"plain"},{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc"}}]}]}`,
			notes: "detail title",
		},
		{
			name: "a document of plain text is data for models that take documents", model: "gemini-2.0-flash",
			messages: []conversation.Message{say(user,
				mediaBlock(conversation.Document, conversation.Media{Text: "plain"}), mediaBlock(conversation.Document, conversation.Media{Text: "a,b", MIME: "text/csv"}))},
			want: `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"text/plain","data":"cGxhaW4="}},{"inlineData":{"mimeType":"text/csv","data":"YSxi"}}]}]}`,
		},
		{
			name: "an image beside an answer that is an object leaves it one", model: "gemini-3-flash",
			messages: []conversation.Message{say(user, conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "shot", Content: []conversation.Block{
				words(`{"a":1}`), mediaBlock(conversation.Image, conversation.Media{MIME: "image/png", Data: "AAAA"}),
			}}})},
			want: `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"shot","response":{"a":1},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}]}`,
		},
		{
			name: "an image in a result stands in it for Gemini 3", model: "gemini-3-flash",
			messages: []conversation.Message{say(user, conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "shot", Content: []conversation.Block{
				words("see"), mediaBlock(conversation.Image, conversation.Media{MIME: "image/png", Data: "AAAA"}),
			}}})},
			want: `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"shot","response":{"output":"see\n[image]"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]}]}`,
		},
		{
			name: "and after it for earlier models", model: "gemini-2.5-flash",
			messages: []conversation.Message{say(user, conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "shot", Content: []conversation.Block{
				words("see"), mediaBlock(conversation.Image, conversation.Media{MIME: "image/png", Data: "AAAA"}),
			}}})},
			want: `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"shot","response":{"output":"see\n[image]"}}}]},{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}]}`,
		},
		{
			name: "so does one of a type or an address that has no place in a result", model: "gemini-3-flash",
			messages: []conversation.Message{say(user, conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "shot", Content: []conversation.Block{
				mediaBlock(conversation.Image, conversation.Media{URL: "https://x/y.png"}), mediaBlock(conversation.Image, conversation.Media{MIME: "image/webp", Data: "AAAA"}), mediaBlock(conversation.Image, conversation.Media{MIME: "image/gif", Data: "AAAA"}),
			}}})},
			want: `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"shot","response":{"output":"[image]\n[image]\n[image]"},"parts":[{"inlineData":{"mimeType":"image/webp","data":"AAAA"}}]}}]},` +
				`{"role":"user","parts":[{"fileData":{"mimeType":"image/png","fileUri":"https://x/y.png"}},{"inlineData":{"mimeType":"image/gif","data":"AAAA"}}]}]}`,
		},
		{
			name: "but Google's own files stand in it", model: "gemini-3-flash",
			messages: []conversation.Message{say(user, conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "shot", Content: []conversation.Block{
				mediaBlock(conversation.Document, conversation.Media{MIME: "application/pdf", FileID: "files/abc", Origin: "gemini"}),
			}}})},
			want: `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"shot","response":{"output":"[document]"},"parts":[{"fileData":{"mimeType":"application/pdf","fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc"}}]}}]}]}`,
		},
		{
			name: "and Vertex takes addresses", model: "gemini-3-flash", vendor: vertex,
			messages: []conversation.Message{say(user, conversation.Block{Kind: conversation.Result, Result: &conversation.ToolResult{Name: "shot", Content: []conversation.Block{
				mediaBlock(conversation.Document, conversation.Media{URL: "gs://b/y.pdf"}),
			}}})},
			want: `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"shot","response":{"output":"[document]"},"parts":[{"fileData":{"mimeType":"application/pdf","fileUri":"gs://b/y.pdf"}}]}}]}]}`,
		},
		{
			name: "cache marks and names are noted",
			messages: []conversation.Message{{Role: user, Name: "ann", Blocks: []conversation.Block{
				{Text: "a", Cache: &conversation.CacheMark{}}, {Text: "b", Cache: &conversation.CacheMark{}},
			}}},
			want:  `{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]}]}`,
			notes: "name cache_control",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, notes, err := encode(t, &conversation.Request{Messages: c.messages}, dialects.EncodeOptions{Model: c.model, Vendor: c.vendor})
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want || notes != c.notes {
				t.Errorf("got  %s (%s)\nwant %s (%s)", got, notes, c.want, c.notes)
			}
		})
	}
}

func TestMergingManyMessagesCopiesEachOnce(t *testing.T) {
	r := &conversation.Request{Messages: make([]conversation.Message, 10_000)}
	for i := range r.Messages {
		r.Messages[i] = conversation.Message{Role: conversation.Assistant, Blocks: []conversation.Block{{Text: "x"}}}
	}
	if n := testing.AllocsPerRun(1, func() {
		if _, _, err := (Codec{}).EncodeRequest(nil, r, dialects.EncodeOptions{Model: "gemini-2.5-flash"}); err != nil {
			t.Error(err)
		}
	}); n > 500 {
		t.Errorf("%v allocations for %d messages", n, len(r.Messages))
	}
}
