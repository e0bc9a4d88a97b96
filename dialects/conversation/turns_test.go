package conversation

import (
	"reflect"
	"testing"
)

func TestCallsInARowAreOneTurn(t *testing.T) {
	call := func(id string) Block { return Block{Kind: Call, Call: &ToolCall{ID: id}} }
	result := func(id string) Block { return Block{Kind: Result, Result: &ToolResult{CallID: id}} }
	said := func(s string) Block { return Block{Text: s} }
	message := func(role Role, blocks ...Block) Message { return Message{Role: role, Blocks: blocks} }
	for _, tt := range []struct {
		name     string
		in, want []Message
	}{
		{
			name: "texts in a row stay as they are",
			in:   []Message{message(User, said("a")), message(Assistant, said("b")), message(Assistant, said("c"))},
			want: []Message{message(User, said("a")), message(Assistant, said("b")), message(Assistant, said("c"))},
		},
		{
			name: "a call after a text begins no new turn of calls",
			in:   []Message{message(Assistant, said("a")), message(Assistant, call("1")), message(User, result("1"))},
			want: []Message{message(Assistant, said("a")), message(Assistant, call("1")), message(User, result("1"))},
		},
		{
			name: "calls, and what is said after them before their results",
			in: []Message{
				message(Assistant, said("a"), call("1")), message(Assistant, call("2")), message(Assistant, said("b")),
				message(User, result("1"), result("2")), message(Assistant, call("3")), message(User, result("3")),
			},
			want: []Message{
				message(Assistant, said("a"), call("1"), call("2"), said("b")),
				message(User, result("1"), result("2")), message(Assistant, call("3")), message(User, result("3")),
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := append([]Message(nil), tt.in...)
			if got := Turns(tt.in); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if !reflect.DeepEqual(tt.in, before) {
				t.Error("the conversation was changed: it is encoded for the next target as well")
			}
		})
	}
}

func TestJoiningManyMessagesCopiesEachOnce(t *testing.T) {
	all := make([]Message, 10_000)
	for i := range all {
		all[i] = Message{Role: Assistant, Blocks: []Block{{Kind: Call, Call: &ToolCall{}}}}
	}
	if n := testing.AllocsPerRun(1, func() {
		if got := Turns(all); len(got) != 1 || len(got[0].Blocks) != len(all) {
			t.Error("not all calls are in one message")
		}
	}); n > 100 {
		t.Errorf("%v allocations for %d messages", n, len(all))
	}
}
