package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"google.golang.org/genai"
)

// geminiClient is Google's client for Gemini.
type geminiClient struct{ *genai.Client }

func newGemini(t *testing.T, base string) *genai.Client {
	t.Helper()
	c, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: clientKey, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: base},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newGeminiClient(t *testing.T, base string) client { return geminiClient{newGemini(t, base)} }

func (c geminiClient) ask(ctx context.Context, t turn) (answer, error) {
	contents, config := genai.Text(secretPrompt), new(genai.GenerateContentConfig)
	if t.run != nil {
		config.Tools = []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
			Name: toolName, Description: toolAbout,
			ParametersJsonSchema: object{"type": "object", "properties": toolProperties},
		}}}}
	}
	for {
		r, err := c.once(ctx, contents, config, t)
		if err != nil {
			return answer{}, err
		}
		if len(r.calls) == 0 {
			return r.answer, nil
		}
		for _, call := range r.calls {
			arguments, err := json.Marshal(call.Args)
			if err != nil {
				return answer{}, err
			}
			result := genai.NewContentFromFunctionResponse(call.Name, object{"output": t.run(string(arguments))}, genai.RoleUser)
			contents = append(contents, genai.NewContentFromFunctionCall(call.Name, call.Args, genai.RoleModel), result)
		}
	}
}

// geminiResponse adds up the responses of a stream.
type geminiResponse struct {
	answer
	calls []*genai.FunctionCall
}

func (g *geminiResponse) add(r *genai.GenerateContentResponse) {
	g.text += textOfResponse(r)
	g.calls = append(g.calls, r.FunctionCalls()...)
	if len(r.Candidates) > 0 && r.Candidates[0].FinishReason == genai.FinishReasonStop {
		g.ended = true
	}
	if u := r.UsageMetadata; u != nil {
		g.input, g.output = int64(u.PromptTokenCount), int64(u.CandidatesTokenCount)
	}
}

// textOfResponse is the response's text. The client's own method logs a warning where there is a call as well.
func textOfResponse(r *genai.GenerateContentResponse) (text string) {
	if len(r.Candidates) == 0 || r.Candidates[0].Content == nil {
		return ""
	}
	for _, p := range r.Candidates[0].Content.Parts {
		text += p.Text
	}
	return text
}

func (c geminiClient) once(ctx context.Context, contents []*genai.Content, config *genai.GenerateContentConfig, t turn) (g geminiResponse, err error) {
	if !t.stream {
		r, err := c.Models.GenerateContent(ctx, t.model, contents, config)
		if err == nil {
			g.add(r)
		}
		return g, err
	}
	for r, err := range c.Models.GenerateContentStream(ctx, t.model, contents, config) {
		if err != nil {
			return g, err
		}
		g.add(r)
		if text := textOfResponse(r); t.onText != nil && text != "" {
			t.onText(text)
		}
	}
	return g, nil
}

func (geminiClient) failure(err error) (failure, bool) {
	var e genai.APIError
	if !errors.As(err, &e) {
		return failure{}, false
	}
	return failure{status: e.Code, kind: e.Status, message: e.Message, withoutHeader: true}, true
}
