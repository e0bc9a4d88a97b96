package dialecttest

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

// KindName names a kind of block.
func KindName(k conversation.Kind) string {
	return [...]string{"text", "image", "document", "audio", "video", "call", "result", "thinking", "refusal", "opaque"}[k]
}

// StopName names a stop reason.
func StopName(s conversation.StopReason) string {
	return [...]string{"unknown", "end", "sequence", "length", "calls", "filtered", "refusal", "pause", "error"}[s]
}

// Signals writes signals as letters: content, terminal, error, usage only; a dash for none.
func Signals(s dialects.Signal) string {
	var letters []byte
	for _, x := range [...]struct {
		bit    dialects.Signal
		letter byte
	}{{dialects.SignalContent, 'c'}, {dialects.SignalTerminal, 't'}, {dialects.SignalError, 'e'}, {dialects.SignalUsageOnly, 'u'}} {
		if s&x.bit != 0 {
			letters = append(letters, x.letter)
		}
	}
	if letters == nil {
		return "-"
	}
	return string(letters)
}

// UsageText writes the classes of a usage that there is something of; a dash for none.
func UsageText(u conversation.Usage) string {
	var classes []string
	v := reflect.ValueOf(u)
	for i := range v.NumField() {
		if n := v.Field(i).Int(); n != 0 {
			classes = append(classes, fmt.Sprintf("%s:%d", v.Type().Field(i).Name, n))
		}
	}
	if classes == nil {
		return "-"
	}
	return strings.Join(classes, " ")
}
