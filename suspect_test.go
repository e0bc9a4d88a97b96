package llmgateway

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestThreeUntrueReportsOfUsageInFiveMinutesAreAWarning(t *testing.T) {
	const untrue = `{"id":"c1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":-1,"completion_tokens":5}}`
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProvider("up", respond(200, untrue)))
		core, logs := observer.New(zapcore.WarnLevel)
		g.logger = zap.New(core)
		for i, step := range []struct {
			wait time.Duration
			want int // warnings so far
		}{
			{0, 0}, {time.Minute, 0}, {5 * time.Minute, 0}, // never three within five minutes
			{time.Minute, 0}, {time.Minute, 1}, // the third
			{time.Minute, 1}, {3 * time.Minute, 1}, {time.Minute, 2}, // once in five minutes
		} {
			time.Sleep(step.wait)
			if w := g.post(chatPath, ask("up/m")); w.Code != 200 {
				t.Fatalf("%d: %d, but such a target goes on being used", i, w.Code)
			}
			if n := logs.FilterMessageSnippet("usage that cannot be true").Len(); n != step.want {
				t.Errorf("request %d: %d warnings, want %d", i, n, step.want)
			}
		}
	})
}
