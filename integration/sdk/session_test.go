package sdk

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/genai"
)

// session is a chat of genai, which keeps the history itself. It forgets a turn, question and answer, that has a part
// without data, or a response without a candidate in the middle of a stream.
type session struct{ *genai.Chat }

// send returns the results of the calls that came back.
func (s session) send(t *testing.T, stream bool, parts []*genai.Part) (results []*genai.Part) {
	t.Helper()
	take := func(r *genai.GenerateContentResponse) {
		for _, call := range r.FunctionCalls() {
			result := genai.NewPartFromFunctionResponse(call.Name, object{"output": "raining in " + fmt.Sprint(call.Args["city"])})
			result.FunctionResponse.ID = call.ID
			results = append(results, result)
		}
	}
	if !stream {
		r, err := s.Send(t.Context(), parts...)
		if err != nil {
			t.Fatal(err)
		}
		take(r)
		return results
	}
	for r, err := range s.SendStream(t.Context(), parts...) {
		if err != nil {
			t.Fatal(err)
		}
		take(r)
	}
	return results
}

// TestASessionRemembersItsTurns has a session with a model that thinks, speaks and calls tools, and then asks it again:
// all of what was said must stand in the last question.
func TestASessionRemembersItsTurns(t *testing.T) {
	script := func(q question) reply {
		r := forecast(q)
		r.thought, r.signature = thought, signature
		if r.calls != nil {
			r.text = []string{"Let me ", "see."}
		}
		return r
	}
	s := startStage(t)
	for _, d := range dialects {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stream %t", d.name, stream), func(t *testing.T) {
				t.Parallel()
				l := lane{"genai", d, s}
				c, u := l.connect(t, script)
				_, config := (&turn{run: func(string) string { return "" }, think: true}).gemini()
				chat, err := c.(geminiClient).Chats.Create(t.Context(), u.model, config, nil)
				if err != nil {
					t.Fatal(err)
				}
				results := session{chat}.send(t, stream, []*genai.Part{genai.NewPartFromText(secretPrompt)})
				session{chat}.send(t, stream, results)
				session{chat}.send(t, stream, []*genai.Part{genai.NewPartFromText("and tomorrow?")})
				asked := u.asked()
				if len(asked) != 3 {
					t.Fatalf("the upstream was asked %d times, want three times", len(asked))
				}
				checkToolTurns(t, asked[:2])
				q := asked[2]
				if q.prompt != "and tomorrow?" || len(q.calls) != 2 || len(q.results) != 2 {
					t.Errorf("the last question was %+v", q)
				}
				if (d == messagesDialect || d == responsesDialect || d == converseDialect) && !slices.Equal(q.thoughts, []string{thought, thought}) {
					t.Errorf("the last question held the thoughts %q", q.thoughts)
				}
				if d == geminiDialect && stream {
					return // the client itself forgets the signature at the end of Google's own streams
				}
				if d != chatDialect && d != cohereDialect && d != ollamaDialect && !slices.Equal(q.signatures, []string{signature, signature}) {
					t.Errorf("the last question held the signatures %q", q.signatures)
				}
			})
		}
	}
}
