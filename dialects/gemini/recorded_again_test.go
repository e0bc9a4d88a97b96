package gemini

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
)

// What was read from a request is written so that it reads the same.
func TestRecordedRequestsReadTheSameOnceTheyAreWritten(t *testing.T) {
	dialecttest.EachRecorded(t, "gemini.generate", func(t *testing.T, x *dialecttest.Exchange) {
		if x.Request == nil || x.Status/100 != 2 {
			t.Skip("no request that was answered")
		}
		once := mustDecode(t, string(x.Request))
		o := dialects.EncodeOptions{Model: "gemini-3-pro"}
		if strings.Contains(x.URL, "aiplatform") {
			o.Vendor = vertex
		}
		out, _, err := Codec{}.EncodeRequest(nil, once, o)
		if err != nil {
			t.Fatal(err)
		}
		twice := mustDecode(t, string(out))
		if a, b := turns(once), turns(twice); a != b {
			i := 0
			for i < min(len(a), len(b)) && a[i] == b[i] {
				i++
			}
			t.Errorf("once  %.300s\ntwice %.300s", a[i:], b[i:])
		}
		for _, r := range []*conversation.Request{once, twice} {
			r.Messages, r.Reasoning = nil, nil // levels take the place of budgets
			r.Extra = slices.DeleteFunc(r.Extra, func(f conversation.Field) bool {
				return strings.Contains(f.Name, ".") && !strings.HasPrefix(f.Name, configPrefix)
			})
			slices.SortFunc(r.Extra, func(a, b conversation.Field) int { return strings.Compare(a.Name, b.Name) })
			slices.SortStableFunc(r.Tools, func(a, b conversation.Tool) int { return len(a.Raw) - len(b.Raw) })
		}
		if a, b := brief(t, once), brief(t, twice); a != b {
			t.Errorf("once  %s\ntwice %s", a, b)
		}
	})
}

func TestRecordedStreamsMayComeByteByByte(t *testing.T) {
	dialecttest.EachRecorded(t, "gemini.generate", func(t *testing.T, x *dialecttest.Exchange) {
		if !x.Streaming || x.Status != 200 {
			t.Skip("no stream")
		}
		s := x.Body
		want, err := transcript(t, strings.NewReader(s))
		if err != nil {
			t.Fatal(err)
		}
		for split, r := range dialecttest.Splits(s, 50) {
			if got, err := transcript(t, r); err != nil || got != want {
				t.Fatalf("%s: %v\n%s", split, err, got)
			}
		}
	})
}
