package sdk

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"google.golang.org/genai"
)

// counted is the number of tokens, and what the response said to be an estimate.
type counted struct {
	tokens    int64
	estimated string
}

const headerEstimated = "X-Llm-Gateway-Estimated"

// counters ask for the number of tokens of the prompt, with each client that can.
var counters = map[string]func(ctx context.Context, t *testing.T, base, model string) (counted, error){
	"anthropic": func(ctx context.Context, _ *testing.T, base, model string) (counted, error) {
		var resp *http.Response
		c := newAnthropic(base)
		r, err := c.Messages.CountTokens(ctx, anthropic.MessageCountTokensParams{
			Model: model, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(secretPrompt))},
		}, option.WithResponseInto(&resp))
		if err != nil {
			return counted{}, err
		}
		return counted{r.InputTokens, resp.Header.Get(headerEstimated)}, nil
	},
	"genai": func(ctx context.Context, t *testing.T, base, model string) (counted, error) {
		r, err := newGemini(t, base).Models.CountTokens(ctx, strings.Replace(model, "/", "--", 1), genai.Text(secretPrompt), nil)
		if err != nil {
			return counted{}, err
		}
		return counted{int64(r.TotalTokens), r.SDKHTTPResponse.Headers.Get(headerEstimated)}, nil
	},
	"responses": func(ctx context.Context, _ *testing.T, base, model string) (counted, error) {
		var resp *http.Response
		c := newOpenAI(base)
		r, err := c.Responses.InputTokens.Count(ctx, responses.InputTokenCountParams{
			Model: openai.String(model), Input: responses.InputTokenCountParamsInputUnion{OfString: openai.String(secretPrompt)},
		}, openaioption.WithResponseInto(&resp))
		if err != nil {
			return counted{}, err
		}
		return counted{r.InputTokens, resp.Header.Get(headerEstimated)}, nil
	},
}

// countings are the endpoints for it that vendors have, by dialect, and what they answer.
var countings = map[string]struct {
	path   string
	answer object
}{
	"responses": {"/v1/responses/input_tokens", object{"object": "response.input_tokens", "input_tokens": inputTokens}},
	"messages":  {"/v1/messages/count_tokens", object{"input_tokens": inputTokens}},
	"gemini":    {"/v1beta/models/" + geminiDialect.model + ":countTokens", object{"totalTokens": inputTokens}},
	"converse": {"/model/" + strings.TrimPrefix(converseDialect.model, "us.") + "/count-tokens", // no profile is counted for
		object{"inputTokens": inputTokens}},
}

// TestTokensAreCounted has every client that can ask for the number of tokens of a prompt do so. A vendor that counts is
// asked, in its own dialect; where none does, the gateway's estimate takes the place of the number, and says so.
func TestTokensAreCounted(t *testing.T) {
	var asked atomic.Int64
	options := ""
	for _, d := range dialects {
		options += d.provider(startCounting(t, d, &asked))
	}
	base := startGateway(t, options)
	for name, count := range counters {
		for _, d := range dialects {
			t.Run(name+" client to "+d.name, func(t *testing.T) {
				before := asked.Load()
				got, err := count(t.Context(), t, base, d.name+"/"+d.model)
				if err != nil {
					t.Fatal(err)
				}
				if _, counts := countings[d.name]; counts {
					if want := (counted{tokens: inputTokens}); got != want || asked.Load() != before+1 {
						t.Errorf("got %+v after %d questions, want %+v after one", got, asked.Load()-before, want)
					}
				} else if words := int64(len(strings.Fields(secretPrompt))); got.estimated != "input_tokens" || got.tokens < words || got.tokens > 10*words || asked.Load() != before {
					t.Errorf("got %+v after %d questions, want an estimate without any", got, asked.Load()-before)
				}
			})
		}
	}
}

// startCounting plays a provider that counts tokens, if its vendor does.
func startCounting(t *testing.T, d *dialect, asked *atomic.Int64) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		checkCredentials(t, r)
		c := countings[d.name]
		if r.URL.Path != c.path {
			t.Errorf("%s was asked for %s, want %q", d.name, r.URL.Path, c.path)
		}
		if body, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(body), "feathers") {
			t.Errorf("%s was sent %s, %v", d.name, body, err)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, marshal(c.answer))
	}))
	t.Cleanup(s.Close)
	return s.URL
}
