package sdk

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/openai/openai-go/v3"
	"google.golang.org/genai"
)

// startOperation plays a provider that knows one operation other than generation: requests to path are answered with
// the response that respond makes of their body.
func startOperation(t *testing.T, kind, path string, respond func(in object) object) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		checkCredentials(t, r)
		var in object
		if r.URL.Path != path {
			t.Errorf("the upstream was asked for %s, want %s", r.URL.Path, path)
		} else if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Errorf("the upstream was sent no JSON: %v", err)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, marshal(respond(in)))
	}))
	t.Cleanup(s.Close)
	return startGateway(t, fmt.Sprintf("provider up %s %s %s\nmodel bird up/heron-1", kind, s.URL, upstreamKey))
}

func TestEmbeddingsAreHandedOverInTheEncodingAskedFor(t *testing.T) {
	const packed = "AACAPwAAAMA=" // 1 and -2 as float32
	base := startOperation(t, "openai", "/v1/embeddings", func(in object) object {
		var vector any = []float64{1, -2}
		if in["encoding_format"] == "base64" {
			vector = packed
		}
		if in["model"] != "heron-1" || in["input"] == nil {
			t.Errorf("the upstream was asked %v", in)
		}
		return object{
			"object": "list", "model": in["model"], "data": []object{{"object": "embedding", "index": 0, "embedding": vector}},
			"usage": object{"prompt_tokens": inputTokens, "total_tokens": inputTokens},
		}
	})
	embed := func(format openai.EmbeddingNewParamsEncodingFormat) *openai.CreateEmbeddingResponse {
		c := newOpenAI(base)
		r, err := c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
			Model: "bird", EncodingFormat: format,
			Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{secretPrompt}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Data) != 1 || r.Usage.PromptTokens != inputTokens {
			t.Fatalf("got %s", r.RawJSON())
		}
		return r
	}
	if got := embed(openai.EmbeddingNewParamsEncodingFormatFloat).Data[0].Embedding; !slices.Equal(got, []float64{1, -2}) {
		t.Errorf("as numbers: got %v", got)
	}
	// The client does not unpack the vector.
	if got := embed(openai.EmbeddingNewParamsEncodingFormatBase64).Data[0].JSON.Embedding.Raw(); got != `"`+packed+`"` {
		t.Errorf("as base64: got %s", got)
	}
}

func TestGeminiEmbeddingsAreHandedOver(t *testing.T) {
	base := startOperation(t, "gemini", "/v1beta/models/heron-1:batchEmbedContents", func(object) object {
		return object{"embeddings": []object{{"values": []float64{1, -2}}}}
	})
	r, err := newGemini(t, base).Models.EmbedContent(t.Context(), "bird", genai.Text(secretPrompt), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Embeddings) != 1 || !slices.Equal(r.Embeddings[0].Values, []float32{1, -2}) {
		t.Errorf("got %+v", r.Embeddings)
	}
}

func TestAStreamHasNoChunkForUsageThatNobodyAskedFor(t *testing.T) {
	// The gateway asks the provider for it all the same, because it has to account for it. Clients that do not ask expect
	// a choice in every chunk.
	s := startStage(t)
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			u, c := s.cast(d, says), newOpenAI(s.base)
			stream := c.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{
				Model: u.model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(secretPrompt)},
			})
			defer stream.Close()
			var text string
			for stream.Next() {
				chunk := stream.Current()
				if len(chunk.Choices) != 1 {
					t.Errorf("the client was sent %s", chunk.RawJSON())
					continue
				}
				text += chunk.Choices[0].Delta.Content
			}
			if err := stream.Err(); err != nil || text != joined(pieces) {
				t.Errorf("got %q, %v", text, err)
			}
			checkAsked(t, u, true)
		})
	}
}
