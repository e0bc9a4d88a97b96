package sdk

import (
	"strings"
	"testing"
)

// TestEveryClientUnderstandsTheSimulatedProvider covers the provider that people meet first: it needs no account.
func TestEveryClientUnderstandsTheSimulatedProvider(t *testing.T) {
	base := startGateway(t, "provider sim simulated {\n latency 0\n tokens_per_second 1000000\n}\nmodel bird sim/heron-1")
	for name, connect := range clients {
		t.Run(name, func(t *testing.T) {
			c := connect(t, base)
			unary, err := c.ask(t.Context(), turn{model: "bird"})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(unary.text, "simulated answer") || unary.stop != atWill || unary.input <= 0 || unary.output <= 0 {
				t.Errorf("got %+v", unary)
			}
			var heard strings.Builder
			streamed, err := c.ask(t.Context(), turn{model: "bird", stream: true, onText: func(piece string) { heard.WriteString(piece) }})
			if err != nil {
				t.Fatal(err)
			}
			if streamed != unary || heard.String() != unary.text {
				t.Errorf("streamed, the same request got %+v, heard as %q; want %+v", streamed, &heard, unary)
			}
			checkSimulatedTool(t, c, false)
			checkSimulatedTool(t, c, true)
		})
	}
}

func checkSimulatedTool(t *testing.T, c client, stream bool) {
	t.Helper()
	calls := 0
	got, err := c.ask(t.Context(), turn{model: "bird", stream: stream, run: func(string) string {
		calls++
		return "raining"
	}})
	if err != nil || calls != 1 || got.stop != atWill || got.text == "" {
		t.Errorf("with a tool, stream %t: %d calls and then %+v, %v", stream, calls, got, err)
	}
}
