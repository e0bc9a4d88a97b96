package sdk

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
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

func (c chatClient) ask(ctx context.Context, t turn) (answer, error) {
	p := openai.ChatCompletionNewParams{
		Model:    t.model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(secretPrompt)},
	}
	if t.run != nil {
		p.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: toolName, Description: openai.String(toolAbout),
			Parameters: shared.FunctionParameters{"type": "object", "properties": toolProperties},
		})}
	}
	for {
		r, err := c.once(ctx, p, t)
		if err != nil {
			return answer{}, err
		}
		if len(r.Choices) == 0 {
			return answer{}, errors.New("no choices")
		}
		choice := r.Choices[0]
		if choice.FinishReason != "tool_calls" {
			return answer{
				text: choice.Message.Content, ended: choice.FinishReason == "stop",
				input: r.Usage.PromptTokens, output: r.Usage.CompletionTokens,
			}, nil
		}
		p.Messages = append(p.Messages, choice.Message.ToParam())
		for _, call := range choice.Message.ToolCalls {
			p.Messages = append(p.Messages, openai.ToolMessage(t.run(call.Function.Arguments), call.ID))
		}
	}
}

func (c chatClient) once(ctx context.Context, p openai.ChatCompletionNewParams, t turn) (*openai.ChatCompletion, error) {
	if !t.stream {
		return c.Chat.Completions.New(ctx, p)
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
		if t.onText != nil && len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
			t.onText(chunk.Choices[0].Delta.Content)
		}
	}
	return &acc.ChatCompletion, stream.Err()
}

func (chatClient) failure(err error) (failure, bool) { return openAIFailure(err) }

// openAIFailure reads the errors of openai-go: one for refusals, another for the middle of a stream.
func openAIFailure(err error) (failure, bool) {
	var refused *openai.Error
	if errors.As(err, &refused) {
		f := failure{status: refused.StatusCode, kind: refused.Type, code: refused.Code, param: refused.Param, message: refused.Message}
		f.readHeader(refused.Response.Header, "X-Request-Id")
		return f, true
	}
	var broken *ssestream.StreamError
	if errors.As(err, &broken) {
		e := gjson.GetBytes(broken.Event.Data, "error")
		return failure{kind: e.Get("type").String(), code: e.Get("code").String(), message: e.Get("message").String(), withoutHeader: true}, true
	}
	return failure{}, false
}

// readHeader reads what clients look for in the headers of an error.
func (f *failure) readHeader(h http.Header, requestID string) {
	f.requestID, f.retryAfter, f.shouldRetry = h.Get(requestID), h.Get("Retry-After"), h.Get("X-Should-Retry")
}
