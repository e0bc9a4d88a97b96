package sdk

import (
	"context"
	"errors"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/respjson"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"
	"github.com/tidwall/gjson"
)

func newOpenAI(base string) openai.Client {
	return openai.NewClient(option.WithBaseURL(base+"/v1"), option.WithAPIKey(clientKey), option.WithMaxRetries(0))
}

// chatClient is openai-go with Chat Completions.
type chatClient struct{ openai.Client }

func newChatClient(_ *testing.T, base string) client { return chatClient{newOpenAI(base)} }

func (t *turn) chat() openai.ChatCompletionNewParams {
	parts := []openai.ChatCompletionContentPartUnionParam{openai.TextContentPart(secretPrompt)}
	if t.image != "" {
		parts = append(parts, openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + t.image}))
	}
	p := openai.ChatCompletionNewParams{Model: t.model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(parts)}}
	if t.run != nil {
		p.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: toolName, Description: openai.String(toolAbout), Parameters: toolSchema,
		})}
	}
	if t.schema != nil {
		p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "report", Schema: t.schema, Strict: openai.Bool(true)},
		}
	}
	if t.think {
		p.ReasoningEffort = shared.ReasoningEffortLow
	}
	return p
}

var chatStops = map[string]stop{"stop": atWill, "length": atLimit, "content_filter": filtered, "tool_calls": calling}

func (c chatClient) ask(ctx context.Context, t turn) (answer, error) {
	p := t.chat()
	var a answer
	for {
		r, err := c.once(ctx, p, t, &a)
		if err != nil {
			return answer{}, err
		}
		if len(r.Choices) == 0 {
			return answer{}, errors.New("no choices")
		}
		choice := r.Choices[0]
		if choice.FinishReason != "tool_calls" {
			a.text, a.stop = choice.Message.Content, chatStops[choice.FinishReason]
			if choice.Message.Refusal != "" {
				a.stop = filtered
			}
			a.input, a.cached, a.output = r.Usage.PromptTokens, r.Usage.PromptTokensDetails.CachedTokens, r.Usage.CompletionTokens
			return a, nil
		}
		p.Messages = append(p.Messages, choice.Message.ToParam())
		for _, call := range choice.Message.ToolCalls {
			p.Messages = append(p.Messages, openai.ToolMessage(t.run(call.Function.Arguments), call.ID))
		}
	}
}

func (c chatClient) once(ctx context.Context, p openai.ChatCompletionNewParams, t turn, a *answer) (*openai.ChatCompletion, error) {
	if !t.stream {
		r, err := c.Chat.Completions.New(ctx, p)
		if err == nil && len(r.Choices) > 0 {
			a.thoughts += reasoningContent(r.Choices[0].Message.JSON.ExtraFields)
		}
		return r, err
	}
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	var acc openai.ChatCompletionAccumulator
	stream := c.Chat.Completions.NewStreaming(ctx, p)
	defer stream.Close()
	for stream.Next() {
		chunk := stream.Current()
		if !acc.AddChunk(chunk) {
			return nil, errors.New("the accumulator refused a chunk: " + chunk.RawJSON())
		}
		if len(chunk.Choices) == 0 {
			continue
		}
		d := chunk.Choices[0].Delta
		a.thoughts += reasoningContent(d.JSON.ExtraFields)
		if t.onText != nil && d.Content != "" {
			t.onText(d.Content)
		}
	}
	return &acc.ChatCompletion, stream.Err()
}

// reasoningContent is the member for thoughts that vendors other than OpenAI have in common. The client has no field
// for it.
func reasoningContent(extra map[string]respjson.Field) string {
	return gjson.Parse(extra["reasoning_content"].Raw()).String()
}

func (chatClient) failure(err error) (failure, bool) { return openAIFailure(err) }

// openAIFailure reads the errors of openai-go: one for refusals, another for the middle of a stream.
func openAIFailure(err error) (failure, bool) {
	if refused, ok := errors.AsType[*openai.Error](err); ok {
		f := failure{status: refused.StatusCode, kind: refused.Type, code: refused.Code, param: refused.Param, message: refused.Message}
		f.readHeader(refused.Response.Header, "X-Request-Id")
		return f, true
	}
	if broken, ok := errors.AsType[*ssestream.StreamError](err); ok {
		e := gjson.GetBytes(broken.Event.Data, "error")
		return failure{kind: e.Get("type").String(), code: e.Get("code").String(), message: e.Get("message").String(), withoutHeader: true}, true
	}
	return failure{}, false
}
