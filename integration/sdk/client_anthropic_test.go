package sdk

import (
	"context"
	"errors"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/tidwall/gjson"
)

func newAnthropic(base string) anthropic.Client {
	return anthropic.NewClient(option.WithBaseURL(base), option.WithAPIKey(clientKey), option.WithMaxRetries(0))
}

// messagesClient is anthropic-sdk-go.
type messagesClient struct{ anthropic.Client }

func newMessagesClient(_ *testing.T, base string) client { return messagesClient{newAnthropic(base)} }

func (t *turn) messages() anthropic.MessageNewParams {
	blocks := []anthropic.ContentBlockParamUnion{anthropic.NewTextBlock(secretPrompt)}
	if t.image != "" {
		blocks = append(blocks, anthropic.NewImageBlockBase64("image/png", t.image))
	}
	p := anthropic.MessageNewParams{
		Model: t.model, MaxTokens: outputLimit, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(blocks...)},
	}
	if t.run != nil {
		tool := anthropic.ToolUnionParamOfTool(anthropic.ToolInputSchemaParam{Properties: toolProperties}, toolName)
		tool.OfTool.Description = anthropic.String(toolAbout)
		p.Tools = []anthropic.ToolUnionParam{tool}
	}
	if t.schema != nil {
		p.OutputConfig.Format.Schema = t.schema
	}
	if t.think {
		p.Thinking = anthropic.ThinkingConfigParamOfEnabled(thinkingBudget)
	}
	return p
}

var messagesStops = map[anthropic.StopReason]stop{
	anthropic.StopReasonEndTurn: atWill, anthropic.StopReasonMaxTokens: atLimit,
	anthropic.StopReasonRefusal: filtered, anthropic.StopReasonToolUse: calling,
}

func (c messagesClient) ask(ctx context.Context, t turn) (answer, error) {
	p := t.messages()
	var a answer
	for {
		m, err := c.once(ctx, p, t)
		if err != nil {
			return answer{}, err
		}
		a.text = ""
		var results []anthropic.ContentBlockParamUnion
		for _, b := range m.Content {
			switch b := b.AsAny().(type) {
			case anthropic.ThinkingBlock:
				a.thoughts += b.Thinking
			case anthropic.TextBlock:
				a.text += b.Text
			case anthropic.ToolUseBlock:
				results = append(results, anthropic.NewToolResultBlock(b.ID, t.run(string(b.Input)), false))
			}
		}
		if m.StopReason != anthropic.StopReasonToolUse {
			a.stop = messagesStops[m.StopReason]
			a.input, a.cached, a.output = m.Usage.InputTokens+m.Usage.CacheReadInputTokens, m.Usage.CacheReadInputTokens, m.Usage.OutputTokens
			return a, nil
		}
		p.Messages = append(p.Messages, m.ToParam(), anthropic.NewUserMessage(results...))
	}
}

func (c messagesClient) once(ctx context.Context, p anthropic.MessageNewParams, t turn) (*anthropic.Message, error) {
	if !t.stream {
		return c.Messages.New(ctx, p)
	}
	var m anthropic.Message
	stream := c.Messages.NewStreaming(ctx, p)
	defer stream.Close()
	for stream.Next() {
		ev := stream.Current()
		if err := m.Accumulate(ev); err != nil {
			return nil, err
		}
		if t.onText != nil && ev.Type == "content_block_delta" && ev.Delta.Text != "" {
			t.onText(ev.Delta.Text)
		}
	}
	return &m, stream.Err()
}

func (messagesClient) failure(err error) (failure, bool) { return anthropicFailure(err) }

func anthropicFailure(err error) (failure, bool) {
	var e *anthropic.Error
	if !errors.As(err, &e) {
		return failure{}, false
	}
	f := failure{status: e.StatusCode, kind: string(e.Type()), message: gjson.Get(e.RawJSON(), "error.message").String()}
	f.readHeader(e.Response.Header, "Request-Id")
	if f.requestID != e.RequestID {
		f.requestID = "" // the client did not take it for one
	}
	return f, true
}
