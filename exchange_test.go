package llmgateway

import (
	"testing"
	"unsafe"
)

func TestWhatWasDroppedOutlivesTheBody(t *testing.T) {
	body := []byte(`web_search`)
	x := new(exchange)
	x.drop([]string{unsafe.String(&body[0], len(body)), "name"})
	copy(body, "somebody else's")
	if got := x.dropped; len(got) != 2 || got[0] != "web_search" || got[1] != "name" {
		t.Errorf("%q", got)
	}
}
