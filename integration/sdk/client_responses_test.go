package sdk

import (
	"cmp"
	"context"
	"errors"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

// responsesClient is openai-go with Responses.
type responsesClient struct{ openai.Client }

func newResponsesClient(_ *testing.T, base string) client { return responsesClient{newOpenAI(base)} }

func (t *turn) responses() (responses.ResponseNewParams, responses.ResponseInputParam) {
	content := responses.ResponseInputMessageContentListParam{responses.ResponseInputContentParamOfInputText(secretPrompt)}
	if t.image != "" {
		image := responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto)
		image.OfInputImage.ImageURL = openai.String("data:image/png;base64," + t.image)
		content = append(content, image)
	}
	p := responses.ResponseNewParams{Model: t.model, Store: openai.Bool(false)}
	if t.run != nil {
		p.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction(toolName, toolSchema, false)}
	}
	if t.schema != nil {
		p.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("report", t.schema)
	}
	if t.think {
		p.Reasoning = shared.ReasoningParam{Effort: shared.ReasoningEffortLow, Summary: shared.ReasoningSummaryAuto}
		p.Include = []responses.ResponseIncludable{responses.ResponseIncludableReasoningEncryptedContent}
	}
	return p, responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(content, responses.EasyInputMessageRoleUser)}
}

func (c responsesClient) ask(ctx context.Context, t turn) (answer, error) {
	p, input := t.responses()
	var a answer
	for {
		p.Input.OfInputItemList = input
		r, err := c.once(ctx, p, t)
		if err != nil {
			return answer{}, err
		}
		var results responses.ResponseInputParam
		for _, item := range r.Output {
			switch item := item.AsAny().(type) {
			case responses.ResponseReasoningItem:
				for _, s := range item.Summary {
					a.thoughts += s.Text
				}
				param := item.ToParam()
				input = append(input, responses.ResponseInputItemUnionParam{OfReasoning: &param})
			case responses.ResponseOutputMessage:
				for _, c := range item.Content {
					if c.Type == "refusal" {
						a.stop = filtered
					}
				}
			case responses.ResponseFunctionToolCall:
				param := item.ToParam()
				input = append(input, responses.ResponseInputItemUnionParam{OfFunctionCall: &param})
				result := responses.ResponseInputItemParamOfFunctionCallOutput(t.run(item.Arguments))
				result.OfFunctionCallOutput.CallID = openai.String(item.CallID)
				results = append(results, result)
			}
		}
		if results == nil {
			a.text = r.OutputText()
			a.stop = cmp.Or(a.stop, responsesStop(r))
			a.input, a.cached, a.output = r.Usage.InputTokens, r.Usage.InputTokensDetails.CachedTokens, r.Usage.OutputTokens
			return a, nil
		}
		input = append(input, results...)
	}
}

func responsesStop(r *responses.Response) stop {
	switch {
	case r.Status == responses.ResponseStatusCompleted:
		return atWill
	case r.Status == responses.ResponseStatusIncomplete && r.IncompleteDetails.Reason == "max_output_tokens":
		return atLimit
	case r.Status == responses.ResponseStatusIncomplete && r.IncompleteDetails.Reason == "content_filter":
		return filtered
	}
	return ""
}

// once returns the response, which a stream holds in its last event.
func (c responsesClient) once(ctx context.Context, p responses.ResponseNewParams, t turn) (*responses.Response, error) {
	if !t.stream {
		return c.Responses.New(ctx, p)
	}
	var last *responses.Response
	stream := c.Responses.NewStreaming(ctx, p)
	defer stream.Close()
	for stream.Next() {
		switch ev := stream.Current(); ev.Type {
		case "response.output_text.delta":
			if t.onText != nil {
				t.onText(ev.Delta)
			}
		case "response.completed", "response.incomplete":
			last = &ev.Response
		case "error":
			return nil, responsesError(ev.AsError())
		}
	}
	if stream.Err() == nil && last == nil {
		return nil, errors.New("the stream ended without response.completed")
	}
	return last, stream.Err()
}

// responsesError is the error event of a stream, which the client hands on as an ordinary event.
type responsesError responses.ResponseErrorEvent

func (e responsesError) Error() string { return e.Message }

func (responsesClient) failure(err error) (failure, bool) {
	if broken, ok := errors.AsType[responsesError](err); ok {
		return failure{code: broken.Code, message: broken.Message, withoutHeader: true}, true
	}
	return openAIFailure(err)
}
