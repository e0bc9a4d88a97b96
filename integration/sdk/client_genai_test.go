package sdk

import (
	"context"
	"encoding/base64"
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

func (t *turn) gemini() ([]*genai.Content, *genai.GenerateContentConfig) {
	contents, config := genai.Text(secretPrompt), new(genai.GenerateContentConfig)
	if t.image != "" {
		data, _ := base64.StdEncoding.DecodeString(t.image) // the tests' own
		contents[0].Parts = append(contents[0].Parts, genai.NewPartFromBytes(data, "image/png"))
	}
	if t.run != nil {
		config.Tools = []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
			Name: toolName, Description: toolAbout, ParametersJsonSchema: toolSchema,
		}}}}
	}
	if t.schema != nil {
		config.ResponseMIMEType, config.ResponseJsonSchema = "application/json", t.schema
	}
	if t.think {
		config.ThinkingConfig = &genai.ThinkingConfig{IncludeThoughts: true, ThinkingBudget: genai.Ptr[int32](thinkingBudget)}
	}
	return contents, config
}

func (c geminiClient) ask(ctx context.Context, t turn) (answer, error) {
	contents, config := t.gemini()
	var a answer
	for {
		r := geminiResponse{answer: answer{thoughts: a.thoughts}}
		if err := c.once(ctx, contents, config, t, &r); err != nil {
			return answer{}, err
		}
		if a = r.answer; r.results == nil {
			return a, nil
		}
		contents = append(contents, genai.NewContentFromParts(r.parts, genai.RoleModel), genai.NewContentFromParts(r.results, genai.RoleUser))
	}
}

// geminiResponse adds up the responses of a stream.
type geminiResponse struct {
	answer
	parts, results []*genai.Part
}

var geminiStops = map[genai.FinishReason]stop{
	genai.FinishReasonStop: atWill, genai.FinishReasonMaxTokens: atLimit, genai.FinishReasonSafety: filtered,
}

// add takes a response, and returns its text, without thoughts.
func (g *geminiResponse) add(r *genai.GenerateContentResponse, t turn) (text string, err error) {
	if u := r.UsageMetadata; u != nil {
		g.input, g.cached, g.output = int64(u.PromptTokenCount), int64(u.CachedContentTokenCount), int64(u.CandidatesTokenCount)
	}
	if len(r.Candidates) == 0 {
		return "", nil
	}
	candidate := r.Candidates[0]
	if candidate.FinishReason != "" {
		g.stop = geminiStops[candidate.FinishReason]
	}
	if candidate.Content == nil {
		return "", nil
	}
	g.parts = append(g.parts, candidate.Content.Parts...)
	for _, p := range candidate.Content.Parts {
		switch {
		case p.Thought:
			g.thoughts += p.Text
		case p.FunctionCall != nil:
			arguments, err := json.Marshal(p.FunctionCall.Args)
			if err != nil {
				return "", err
			}
			result := genai.NewPartFromFunctionResponse(p.FunctionCall.Name, object{"output": t.run(string(arguments))})
			result.FunctionResponse.ID = p.FunctionCall.ID
			g.results = append(g.results, result)
		default:
			text += p.Text
		}
	}
	g.text += text
	return text, nil
}

func (c geminiClient) once(ctx context.Context, contents []*genai.Content, config *genai.GenerateContentConfig, t turn, g *geminiResponse) error {
	if !t.stream {
		r, err := c.Models.GenerateContent(ctx, t.model, contents, config)
		if err == nil {
			_, err = g.add(r, t)
		}
		return err
	}
	for r, err := range c.Models.GenerateContentStream(ctx, t.model, contents, config) {
		if err != nil {
			return err
		}
		text, err := g.add(r, t)
		if err != nil {
			return err
		}
		if t.onText != nil && text != "" {
			t.onText(text)
		}
	}
	return nil
}

func (geminiClient) failure(err error) (failure, bool) {
	var e genai.APIError
	if !errors.As(err, &e) {
		return failure{}, false
	}
	return failure{status: e.Code, kind: e.Status, message: e.Message, withoutHeader: true}, true
}
