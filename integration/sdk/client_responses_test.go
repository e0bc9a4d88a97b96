package sdk

import (
	"context"
	"errors"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
)

// responsesClient is openai-go with Responses.
type responsesClient struct{ openai.Client }

func newResponsesClient(_ *testing.T, base string) client { return responsesClient{newOpenAI(base)} }

func (c responsesClient) ask(ctx context.Context, t turn) (answer, error) {
	input := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(secretPrompt, responses.EasyInputMessageRoleUser)}
	p := responses.ResponseNewParams{Model: t.model, Store: openai.Bool(false)}
	if t.run != nil {
		p.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction(toolName, object{"type": "object", "properties": toolProperties}, false)}
	}
	for {
		p.Input.OfInputItemList = input
		r, err := c.once(ctx, p, t)
		if err != nil {
			return answer{}, err
		}
		called := false
		for _, item := range r.Output {
			if item.Type != "function_call" {
				continue
			}
			called = true
			call := item.AsFunctionCall()
			result := responses.ResponseInputItemParamOfFunctionCallOutput(t.run(call.Arguments))
			result.OfFunctionCallOutput.CallID = openai.String(call.CallID)
			input = append(input, responses.ResponseInputItemParamOfFunctionCall(call.Arguments, call.CallID, call.Name), result)
		}
		if !called {
			return answer{
				text: r.OutputText(), ended: r.Status == responses.ResponseStatusCompleted,
				input: r.Usage.InputTokens, output: r.Usage.OutputTokens,
			}, nil
		}
	}
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
		case "response.completed":
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
	var broken responsesError
	if errors.As(err, &broken) {
		return failure{code: broken.Code, message: broken.Message, withoutHeader: true}, true
	}
	return openAIFailure(err)
}
