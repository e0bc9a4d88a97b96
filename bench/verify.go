package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// verify makes one exchange and looks at every byte of the answer: what is fast but wrong is not measured.
func (b *bench) verify(ctx context.Context, s *slot) error {
	if err := b.control.setScript(script{Deltas: len(words)}); err != nil {
		return err
	}
	_, err := b.load.slice(ctx, s.lane, 1, 0, func(_ int, c *conn, _ *sample) error {
		if err := c.send(s.request); err != nil {
			return err
		}
		body, err := io.ReadAll(&c.body)
		if err != nil {
			return err
		}
		var got string
		want := answerText
		if s.scenario.kind == unary {
			got, err = unaryText(body)
		} else {
			want = strings.Join(words, "")
			got, err = streamText(body)
		}
		if err == nil && got != want {
			err = fmt.Errorf("the answer is %q, not %q", got, want)
		}
		return err
	})
	return err
}

// unaryText returns the text of a chat completion.
func unaryText(body []byte) (string, error) {
	var answer struct {
		Choices []struct {
			Message struct {
				Content string `json:"content"`
			} `json:"message"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("reading %q: %w", body, err)
	}
	if len(answer.Choices) != 1 {
		return "", fmt.Errorf("an answer with %d choices", len(answer.Choices))
	}
	return answer.Choices[0].Message.Content, nil
}

// streamText returns the text of a stream of chat completion chunks, which has to end in the end marker.
func streamText(body []byte) (string, error) {
	var text strings.Builder
	rest, complete := bytes.CutSuffix(body, streamEnd)
	if !complete {
		return "", errors.New("the stream has no end marker")
	}
	for frame := range bytes.SplitSeq(rest, []byte("\n\n")) {
		data, ok := bytes.CutPrefix(frame, []byte("data: "))
		if !ok {
			continue // a comment, or what follows the last frame
		}
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
				} `json:"delta"`
			} `json:"choices"`
		}
		if err := json.Unmarshal(data, &chunk); err != nil {
			return "", fmt.Errorf("reading %q: %w", data, err)
		}
		for _, c := range chunk.Choices {
			text.WriteString(c.Delta.Content)
		}
	}
	return text.String(), nil
}
