package gemini

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// outline writes a response down, a line for each block.
func outline(r *conversation.Response) string {
	usage := "?"
	if r.UsageKnown {
		usage = usageText(r.Usage)
	}
	lines := []string{fmt.Sprintf("%s %s created=%d tier=%s usage %s", r.ID, r.Model, r.Created, r.ServiceTier, usage)}
	for i, c := range r.Choices {
		for j := range c.Blocks {
			lines = append(lines, fmt.Sprintf("%d.%d %s", i, j, describe(&c.Blocks[j])))
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%d stop %s %s", i, dialecttest.StopName(c.Stop), c.StopDetail)))
		if c.Logprobs != nil {
			lines = append(lines, "logprobs "+string(c.Logprobs))
		}
	}
	return strings.Join(lines, "\n")
}

func TestDecodeResponse(t *testing.T) {
	ids := callIDs{response: "r"}
	id0, id1 := ids.assign(0, "", "f"), ids.assign(0, "", "g")
	for _, c := range []struct{ name, body, want string }{
		{
			name: "text and usage",
			body: `{"candidates":[{"content":{"parts":[{"text":"Hi \u00e9"}],"role":"model"},"finishReason":"STOP","index":0}],` +
				`"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2,"thoughtsTokenCount":3,"totalTokenCount":14,"serviceTier":"standard"},"modelVersion":"m","responseId":"r","createTime":"2026-01-01T00:00:10.5Z"}`,
			want: "r m created=1767225610 tier=standard usage in=9 out=2 reasoning=3\n0.0 text Hi é\n0 stop end",
		},
		{
			name: "thoughts, text and a call keep their signatures",
			body: `{"responseId":"r","candidates":[{"content":{"parts":[{"text":"hm","thought":true,"thoughtSignature":"s1"},{"text":"ok","thoughtSignature":"s2"},{"functionCall":{"name":"f","args":{"z": 1,"a":[]}},"thoughtSignature":"s3"},{"functionCall":{"name":"g"}}]},"finishReason":"STOP"}]}`,
			want: "r  created=0 tier= usage ?\n0.0 thinking hm signature=s1@gemini\n0.1 text ok signature=s2@gemini\n" +
				`0.2 call f ` + id0 + ` {"z": 1,"a":[]} signature=s3@gemini` + "\n0.3 call g " + id1 + " {}\n0 stop calls",
		},
		{
			name: "IDs that came are kept, a repeated one is replaced",
			body: `{"responseId":"r","candidates":[{"content":{"parts":[{"functionCall":{"name":"f","id":"x","args":{}}},{"functionCall":{"name":"g","id":"x","args":{}}}]},"finishReason":"STOP"}]}`,
			want: "r  created=0 tier= usage ?\n0.0 call f x {}\n0.1 call g " + id1 + " {}\n0 stop calls",
		},
		{
			name: "a signature on an empty text belongs to the text before it, or stands alone",
			body: `{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"s0"},{"text":"ok"},{"text":"","thoughtSignature":"s1"},{"text":""}]},"finishReason":"STOP"}]}`,
			want: "  created=0 tier= usage ?\n0.0 opaque {\"text\":\"\",\"thoughtSignature\":\"s0\"}\n0.1 text ok signature=s1@gemini\n0 stop end",
		},
		{
			name: "what Google ran itself is opaque, media are blocks",
			body: `{"candidates":[{"content":{"parts":[{"executableCode":{"code":"1"},"thoughtSignature":"s"},{"codeExecutionResult":{"output":"1"}},{"toolCall":{"id":"t"}},{"inlineData":{"mimeType":"image/png","data":"-_-_AA"}},{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}},{"inlineData":{"mimeType":"image/png","data":"AAAA"},"thought":true}]},"finishReason":"STOP"}]}`,
			want: "  created=0 tier= usage ?\n0.0 opaque {\"executableCode\":{\"code\":\"1\"},\"thoughtSignature\":\"s\"}\n0.1 opaque {\"codeExecutionResult\":{\"output\":\"1\"}}\n" +
				"0.2 opaque {\"toolCall\":{\"id\":\"t\"}}\n0.3 image image/png +/+/AA==\n0.4 audio audio/wav AAAA\n" +
				"0.5 opaque {\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AAAA\"},\"thought\":true}\n0 stop end",
		},
		{
			name: "a candidate may have no content",
			body: `{"candidates":[{"content":{"role":"model"},"finishReason":2},{"index":1,"finishReason":"MODEL_ARMOR","finishMessage":"blocked"}]}`,
			want: "  created=0 tier= usage ?\n0 stop length\n1 stop filtered blocked",
		},
		{
			name: "candidates come in the order of their indices",
			body: `{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"},{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}`,
			want: "  created=0 tier= usage ?\n0.0 text a\n0 stop end\n1.0 text b\n1 stop end",
		},
		{
			name: "a blocked prompt is a filtered answer",
			body: `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":4}}`,
			want: "  created=0 tier= usage in=4\n0 stop filtered the prompt was blocked: PROHIBITED_CONTENT",
		},
		{
			name: "byte offsets of citations become character offsets, in the right text",
			body: `{"candidates":[{"content":{"parts":[{"toolCall":{}},{"text":"Prix: 5 €. "},{"text":"Öl ist teuer."}]},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["q"],` +
				`"groundingChunks":[{"web":{"uri":"https://a","title":"A"}},{"retrievedContext":{"fileSearchStore":"s","text":"quote"}}],"groundingSupports":[` +
				`{"segment":{"endIndex":11,"text":"Prix: 5 €"},"groundingChunkIndices":[0,1,9]},` +
				`{"segment":{"startIndex":13,"endIndex":27,"text":"Öl ist teuer."},"groundingChunkIndices":[0]},` +
				`{"segment":{"partIndex":2,"startIndex":4,"endIndex":7},"groundingChunkIndices":[1]},` +
				`{"segment":{"startIndex":900,"endIndex":905,"text":"ist"},"groundingChunkIndices":[0]},` +
				`{"segment":{"startIndex":900,"endIndex":905,"text":"gone"},"groundingChunkIndices":[0]}]}}]}`,
			want: "  created=0 tier= usage ?\n0.0 opaque {\"toolCall\":{}}\n" +
				"0.1 text Prix: 5 €.  [0-9 https://a A ] [0-9  s quote]\n" +
				"0.2 text Öl ist teuer. [0-13 https://a A ] [3-6  s quote] [3-6 https://a A ] [0-0 https://a A ]\n0 stop end",
		},
		{
			name: "sources without supports are cited without a place",
			body: `{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a"}}]}}]}`,
			want: "  created=0 tier= usage ?\n0.0 text x [0-0 https://a  ]\n0 stop end",
		},
		{
			name: "log probabilities take the shape of chat completions",
			body: `{"candidates":[{"content":{"parts":[{"text":"é"}]},"finishReason":"STOP","logprobsResult":{"chosenCandidates":[{"token":"é","tokenId":7,"logProbability":-0.5}],"topCandidates":[{"candidates":[{"token":"é","logProbability":-0.5},{"token":"e","logProbability":-1e-05}]}]}}]}`,
			want: "  created=0 tier= usage ?\n0.0 text é\n0 stop end\n" +
				`logprobs {"content":[{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":[{"token":"é","logprob":-0.5,"bytes":[195,169]},{"token":"e","logprob":-1e-05,"bytes":[101]}]}],"refusal":null}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := []byte(c.body)
			r, err := Codec{}.DecodeResponse(body)
			if err != nil {
				t.Fatal(err)
			}
			clear(body) // the response must not point into the buffer
			if got := outline(r); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestDecodeResponseFails(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       error
	}{
		{"no JSON", `<html>`, errNotJSON},
		{"nothing", ``, errNotJSON},
		{"no object", `[]`, errNotJSON},
		{"no candidates", `{"usageMetadata":{"promptTokenCount":1}}`, errNoCandidate},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := (Codec{}).DecodeResponse([]byte(c.body)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	var e *conversation.Error
	if _, err := (Codec{}).DecodeResponse([]byte(`{"error":{"message":"slow","status":"RESOURCE_EXHAUSTED"}}`)); !errors.As(err, &e) || e.Status != 429 || e.Message != "slow" {
		t.Errorf("an error in a 200 is returned as %v", err)
	}
}

func TestFinishReasons(t *testing.T) {
	for raw, want := range map[string]string{
		`"STOP"`: "end", `"MAX_TOKENS"`: "length", `"SAFETY"`: "filtered", `"RECITATION"`: "filtered", `"BLOCKLIST"`: "filtered",
		`"PROHIBITED_CONTENT"`: "filtered", `"SPII"`: "filtered", `"IMAGE_SAFETY"`: "filtered", `"MODEL_ARMOR"`: "filtered",
		`"MALFORMED_FUNCTION_CALL"`: "error", `"UNEXPECTED_TOOL_CALL"`: "error", `"OTHER"`: "error", `"SOMETHING_NEW"`: "unknown",
		`1`: "end", `2`: "length", `3`: "filtered", `5`: "error",
	} {
		if got, done := stopReason(raw); dialecttest.StopName(got) != want || !done {
			t.Errorf("%s is %s, want %s", raw, dialecttest.StopName(got), want)
		}
	}
	for _, raw := range []string{``, `null`, `"FINISH_REASON_UNSPECIFIED"`, `0`} {
		if _, done := stopReason(raw); done {
			t.Errorf("%q is taken for an end", raw)
		}
	}
}
