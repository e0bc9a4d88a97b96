package jsonedit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// knownForTest are keys as a dialect would name them.
var knownForTest = []string{
	"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "user", "prompt_cache_key", "tools",
	"service_tier", "messages",
}

// chatBody is a chat completions request of about size bytes, written compactly: a few tool schemas, then many turns.
func chatBody(size int, sentence string) []byte {
	var b strings.Builder
	b.WriteString(`{"model":"gpt-5-mini","temperature":0.2,"max_completion_tokens":4096,"stream":true,"tools":[`)
	for i := range 8 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"function","function":{"name":"search_orders_%d","description":"Finds orders of a customer. Use it `+
			`whenever the customer asks where an order is.","strict":true,"parameters":{"type":"object","properties":`+
			`{"customer_id":{"type":"string","description":"who asks"},"limit":{"type":"integer","minimum":1,"maximum":50},`+
			`"status":{"type":"string","enum":["open","shipped","returned"]},"since":{"anyOf":[{"type":"string"},{"type":"null"}]}},`+
			`"required":["customer_id","limit"],"additionalProperties":false}}}`, i)
	}
	b.WriteString(`],"messages":[{"role":"system","content":"You are the support desk of a shop."}`)
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `,{"role":"user","content":"Where is my order %d? %s"}`, i, sentence)
		fmt.Fprintf(&b, `,{"role":"assistant","content":null,"tool_calls":[{"id":"call_%08d","type":"function","function":`+
			`{"name":"search_orders_1","arguments":"{\"customer_id\":\"c%d\",\"limit\":3}"}}]}`, i*7919, i)
		fmt.Fprintf(&b, `,{"role":"tool","tool_call_id":"call_%08d","content":"[{\"id\":%d,\"status\":\"shipped\"}]"}`, i*7919, i)
		fmt.Fprintf(&b, `,{"role":"assistant","content":"It was shipped.\n\n%s"}`, sentence)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

const (
	plainSentence = "I ordered it last Tuesday and have not heard from you since then, which is not what I am used to."
	mixedSentence = "Je l’ai commandé mardi dernier — depuis, plus rien, ce n’est pas dans vos habitudes…"
	otherSentence = "上周二订购的商品到现在还没有任何消息,这不像你们平时的服务水平。请尽快帮我查一下。"
)

func benchDocs(tb testing.TB) map[string][]byte {
	chat := chatBody(100_000, plainSentence)
	var spaced, indented bytes.Buffer
	if err := json.Indent(&indented, chat, "", "  "); err != nil {
		tb.Fatal(err)
	}
	if err := json.Indent(&spaced, chat, "", ""); err != nil {
		tb.Fatal(err)
	}
	tokens := `{"model":"m","input":[` + strings.Repeat("15339,1917,11,", 8000) + `0]}`
	return map[string][]byte{
		"chat 4 KB":            chatBody(4_000, plainSentence),
		"chat 100 KB":          chat,
		"chat 100 KB spaced":   bytes.ReplaceAll(spaced.Bytes(), []byte("\n"), []byte(" ")),
		"chat 100 KB indented": indented.Bytes(),
		"chat 100 KB French":   chatBody(100_000, mixedSentence),
		"chat 100 KB Chinese":  chatBody(100_000, otherSentence),
		"chat 100 KB escaped":  chatBody(100_000, strings.Repeat(`\u4e0a\u5468`, 20)),
		"long texts 100 KB":    chatBody(100_000, strings.Repeat(plainSentence, 40)),
		"one string 1 MB":      []byte(`{"model":"m","input":"` + strings.Repeat("AbCd0123+/", 100_000) + `"}`),
		"token numbers 112 KB": []byte(tokens),
	}
}

func BenchmarkScan(b *testing.B) {
	for name, doc := range benchDocs(b) {
		b.Run(name, func(b *testing.B) {
			var o Object
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Scan(doc, knownForTest, Limits{}, &o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGjsonValid(b *testing.B) {
	for name, doc := range benchDocs(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if !gjson.ValidBytes(doc) {
					b.Fatal("invalid")
				}
			}
		})
	}
}

func BenchmarkAppendString(b *testing.B) {
	for name, s := range map[string]string{
		"token":   " order",
		"plain":   strings.Repeat(plainSentence, 10),
		"French":  strings.Repeat(mixedSentence, 10),
		"Chinese": strings.Repeat(otherSentence, 10),
		"code":    strings.Repeat("if s == \"\" {\n\treturn nil\n}\n", 40),
	} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 2*len(s)+2)
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendString(dst[:0], s)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	doc := chatBody(100_000, plainSentence)
	var o Object
	if err := Scan(doc, knownForTest, Limits{}, &o); err != nil {
		b.Fatal(err)
	}
	model, _ := o.Get("model")
	options := []byte(`"stream_options":{"include_usage":true}`)
	edits := []Edit{ReplaceValue(model, []byte(`"gpt-5"`)), InsertRaw(&o, options)}
	b.Run("apply", func(b *testing.B) {
		dst := make([]byte, 0, 2*len(doc))
		b.ReportAllocs()
		for b.Loop() {
			dst = Apply(dst[:0], doc, edits)
		}
	})
	b.Run("segments", func(b *testing.B) {
		var out [][]byte
		b.ReportAllocs()
		for b.Loop() {
			out = Segments(out[:0], doc, edits)
		}
	})
}
