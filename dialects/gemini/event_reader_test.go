package gemini

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/dialects"
	"github.com/caddy-llm/llmgateway/dialects/conversation"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/internal/sse"
)

// part makes a chunk of one part; more is added to the candidate.
func part(p, more string) string {
	return `{"candidates":[{"content":{"parts":[` + p + `],"role":"model"}` + more + `}],"responseId":"r"}`
}

const stop = `,"finishReason":"STOP"`

var streams = []struct {
	name, stream, want string
	err                error
}{
	{
		name: "text goes on in one block, usage replaces what was known",
		stream: frames(`{"candidates":[{"content":{"parts":[{"text":"He\n"}]}}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1},"modelVersion":"m","responseId":"r","createTime":"2026-01-01T00:00:00Z"}`,
			part(`{"text":"llo"}`, ""), `{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3}}`),
		want: "start r m created=1767225600\n0.0 open text\n0.0 text He\n\n0.0 text llo\nusage in=5 out=3\n0.0 close\n0 stop end \nend",
	},
	{
		name: "a thought ends with its signature, a late signature goes with the end of its text",
		stream: frames(part(`{"text":"hm","thought":true}`, ""), part(`{"text":"mm","thought":true,"thoughtSignature":"s1"}`, ""),
			part(`{"text":"more","thought":true}`, ""), part(`{"text":"ok"}`, ""), part(`{"text":"","thoughtSignature":"s2"}`, stop)),
		want: "start r  created=0\n0.0 open thinking\n0.0 think hm\n0.0 think mm\n0.0 sign s1\n0.0 close\n0.1 open thinking\n0.1 think more\n0.1 close\n" +
			"0.2 open text\n0.2 text ok\n0.2 close signature=s2\n0 stop end \nend",
	},
	{
		name: "calls come whole",
		stream: frames(part(`{"functionCall":{"name":"f","args":{"a": 1},"id":"x"},"thoughtSignature":"s"},{"functionCall":{"name":"g"}}`, ""),
			part(`{"text":"","thoughtSignature":"t"}`, stop)),
		want: "start r  created=0\n0.0 open call f x signature=s@gemini\n0.0 args {\"a\": 1}\n0.0 close\n0.1 open call g " + secondID("g") + "\n0.1 args {}\n0.1 close\n" +
			"0.2 open opaque {\"text\":\"\",\"thoughtSignature\":\"t\"}\n0.2 close\n0 stop calls \nend",
	},
	{
		name: "arguments in pieces are put together when their call ends",
		stream: frames(part(`{"functionCall":{"name":"f","id":"x","willContinue":true},"thoughtSignature":"s"}`, ""),
			part(`{"functionCall":{"partialArgs":[{"jsonPath":"$.b.c[1]","stringValue":"on\"e","willContinue":true}],"willContinue":true}}`, ""),
			part(`{"functionCall":{"partialArgs":[{"jsonPath":"$.b.c[1]","stringValue":" two"},{"jsonPath":"$['a b']","numberValue":1.50},{"jsonPath":"$.n","nullValue":"NULL_VALUE"}],"willContinue":true}}`, ""),
			part(`{"functionCall":{}}`, ""), part(`{"functionCall":{}}`, stop)),
		want: "start r  created=0\n0.0 open call f x signature=s@gemini\n0.0 args {\"b\":{\"c\":[null,\"on\\\"e two\"]},\"a b\":1.50,\"n\":null}\n0.0 close\n0 stop calls \nend",
	},
	{
		name: "the end of such a call may be missing",
		stream: frames(part(`{"functionCall":{"name":"f","id":"x","willContinue":true}}`, ""),
			part(`{"functionCall":{"name":"g","id":"y","partialArgs":[{"jsonPath":"$.a","boolValue":true}],"willContinue":true}}`, stop)),
		want: "start r  created=0\n0.0 open call f x\n0.0 args {}\n0.0 close\n0.1 open call g y\n0.1 args {\"a\":true}\n0.1 close\n0 stop calls \nend",
	},
	{
		name: "whole blocks of other kinds",
		stream: frames(part(`{"text":"see"}`, ""), part(`{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`, ""),
			part(`{"executableCode":{"code":"1"}}`, ""), part(`{"text":"done"}`, stop)),
		want: "start r  created=0\n0.0 open text\n0.0 text see\n0.0 close\n0.1 open image image/png AAAA\n0.1 close\n0.2 open opaque {\"executableCode\":{\"code\":\"1\"}}\n0.2 close\n" +
			"0.3 open text\n0.3 text done\n0.3 close\n0 stop end \nend",
	},
	{
		name: "two answers side by side",
		stream: frames(`{"candidates":[{"index":0,"content":{"parts":[{"text":"a"}]}},{"index":1,"content":{"parts":[{"text":"b"}]}}],"responseId":"r"}`,
			`{"candidates":[{"index":1,"finishReason":"MAX_TOKENS"},{"index":0,"content":{"parts":[{"text":"c"}]},"finishReason":"STOP"}]}`),
		want: "start r  created=0\n0.0 open text\n0.0 text a\n1.0 open text\n1.0 text b\n0.0 text c\n0.0 close\n0 stop end \n1.0 close\n1 stop length \nend",
	},
	{
		name: "citations come with the text they are about, once",
		stream: frames(part(`{"text":"Öl. "}`, ""), part(`{"executableCode":{}}`, ""), part(`{"text":"5 € bitte."}`, `,"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}}],"groundingSupports":[{"segment":{"startIndex":5,"endIndex":10,"text":"5 €"},"groundingChunkIndices":[0]}]}`),
			part(``, stop+`,"groundingMetadata":{"webSearchQueries":["q"],"groundingChunks":[{"web":{"uri":"https://a","title":"A"}}],"groundingSupports":[{"segment":{"startIndex":5,"endIndex":10,"text":"5 €"},"groundingChunkIndices":[0]},{"segment":{"endIndex":5,"text":"5 €"},"groundingChunkIndices":[0]}]}`)),
		want: "start r  created=0\n0.0 open text\n0.0 text Öl. \n0.0 close\n0.1 open opaque {\"executableCode\":{}}\n0.1 close\n0.2 open text\n0.2 text 5 € bitte.\n" +
			"0.2 cite 0-3 https://a A\n0.2 cite 0-3 https://a A\n0.2 close\n0 stop end \nend",
	},
	{
		name:   "a blocked prompt",
		stream: frames(`{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"no"},"responseId":"r","usageMetadata":{"promptTokenCount":3}}`),
		want:   "start r  created=0\n0 stop filtered no\nend",
	},
	{
		name:   "metadata beside a text does not matter",
		stream: frames(part(`{"text":"a","partMetadata":{}}`, stop)),
		want:   "start r  created=0\n0.0 open text\n0.0 text a\n0.0 close\n0 stop end \nend",
	},
	{
		name:   "a filtered answer",
		stream: frames(part(`{"text":"a"}`, ""), `{"candidates":[{"finishReason":"SAFETY","finishMessage":"why"}]}`),
		want:   "start r  created=0\n0.0 open text\n0.0 text a\n0.0 close\n0 stop filtered why\nend",
	},
	{
		name:   "an error ends the stream",
		stream: frames(part(`{"text":"a"}`, ""), `{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`, part(`{"text":"b"}`, stop)),
		want:   "start r  created=0\n0.0 open text\n0.0 text a\nerror 503 UNAVAILABLE busy",
	},
	{
		name:   "a stream without a finish reason was cut off",
		stream: frames(part(`{"text":"a"}`, "")),
		want:   "start r  created=0\n0.0 open text\n0.0 text a",
		err:    dialects.ErrTruncated,
	},
	{
		name:   "so was one that ends within an event",
		stream: frames(part(`{"text":"a"}`, "")) + `data: {"candidates":[{"finishRea`,
		want:   "start r  created=0\n0.0 open text\n0.0 text a",
		err:    dialects.ErrTruncated,
	},
	{
		name:   "one answer of two is not enough",
		stream: frames(`{"candidates":[{"index":0,"finishReason":"STOP"},{"index":1}],"responseId":"r"}`),
		want:   "start r  created=0",
		err:    dialects.ErrTruncated,
	},
	{name: "nothing at all", stream: ": ping\r\n\r\n", err: dialects.ErrTruncated},
	{name: "no JSON", stream: frames("{oops"), err: errNotJSON},
	{name: "no object", stream: frames("1"), err: errNotJSON},
	{
		name:   "pieces that do not fit",
		stream: frames(part(`{"functionCall":{"name":"f","id":"x","partialArgs":[{"jsonPath":"a","stringValue":"b"}]}}`, "")),
		want:   "start r  created=0\n0.0 open call f x",
		err:    errPartialArgs,
	},
	{
		name:   "an array of chunks in one event, whose texts all stay",
		stream: frames(`[` + part(`{"text":"a\n"}`, "") + `,` + part(`{"functionCall":{"name":"f","id":"x"}}`, "") + `,` + part(`{"text":"b\n"},{"text":"hm\t","thought":true}`, `,"finishReason":1`) + `]`),
		want: "start r  created=0\n0.0 open text\n0.0 text a\n\n0.0 close\n0.1 open call f x\n0.1 args {}\n0.1 close\n0.2 open text\n0.2 text b\n\n0.2 close\n" +
			"0.3 open thinking\n0.3 think hm\t\n0.3 close\n0 stop calls \nend",
	},
	{
		name:   "an empty last event and a foreign end marker are ignored",
		stream: frames(part(`{"text":"a"}`, stop), "[DONE]") + "data:\r\n\r\n",
		want:   "start r  created=0\n0.0 open text\n0.0 text a\n0.0 close\n0 stop end \nend",
	},
}

// secondID is the ID made up for the second call of the response "r".
func secondID(name string) string {
	ids := callIDs{response: "r"}
	ids.assign(0, "x", "f")
	return ids.assign(0, "", name)
}

func TestEventReader(t *testing.T) {
	for _, c := range streams {
		t.Run(c.name, func(t *testing.T) {
			got, err := transcript(t, strings.NewReader(c.stream))
			if got != c.want || !errors.Is(err, c.err) || err != nil && c.err == nil {
				t.Errorf("got (%v)\n%s\nwant (%v)\n%s", err, got, c.err, c.want)
			}
		})
	}
}

func TestWhereReadsSplitAStreamDoesNotMatter(t *testing.T) {
	for _, c := range streams {
		t.Run(c.name, func(t *testing.T) {
			for split, r := range dialecttest.Splits(c.stream, len(c.stream)) {
				if got, err := transcript(t, r); got != c.want || !errors.Is(err, c.err) {
					t.Fatalf("%s: got (%v)\n%s\nwant\n%s", split, err, got, c.want)
				}
			}
			whole := meterState(t, strings.NewReader(c.stream))
			for split, r := range dialecttest.Splits(c.stream, len(c.stream)) {
				if state := meterState(t, r); state != whole {
					t.Fatalf("%s: got %+v, want %+v", split, state, whole)
				}
			}
		})
	}
}

type state struct {
	obs     dialects.Observation
	signals dialects.Signal
	failed  bool
}

func meterState(t testing.TB, stream io.Reader) (s state) {
	m := Codec{}.NewMeter()
	defer m.Release()
	dialecttest.EachFrame(t, stream, func(ev sse.Event) { s.signals |= m.Event(ev) })
	s.obs, s.failed = *m.Observation(), m.Err() != nil
	return s
}

func TestJSONPaths(t *testing.T) {
	for path, want := range map[string]string{
		`$.a`:              `{"a":1}`,
		`$.a.b`:            `{"a":{"b":1}}`,
		`$.a[1].b`:         `{"a":[null,{"b":1}]}`,
		`$['a.b'][0]`:      `{"a.b":[1]}`,
		`$["a]"].c`:        `{"a]":{"c":1}}`,
		`$['it\'s']`:       `{"it's":1}`,
		`$.über`:           `{"über":1}`,
		`$`:                "", // arguments are an object
		``:                 "",
		`a`:                "",
		`$.`:               "",
		`$..a`:             "",
		`$[0]`:             "",
		`$.a[`:             "",
		`$.a[x]`:           "",
		`$.a[-1]`:          "",
		`$.a[10000]`:       "",
		`$['a'`:            "",
		`$['a`:             "",
		`$.a` + many(`.a`): "",
	} {
		var p partialArgs
		err := p.add(pieceAt(path, `"numberValue":1`))
		if want == "" {
			if !errors.Is(err, errPartialArgs) {
				t.Errorf("%s: got %v", path, err)
			}
			continue
		}
		if got := p.String(); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", path, got, err, want)
		}
	}
}

func TestPartialArgsAreBounded(t *testing.T) {
	var p partialArgs
	for i := range 64 {
		if err := p.add(pieceAt("$.a"+strings.Repeat("[9999]", i), `"numberValue":1`)); err != nil {
			if p.nodes > maxArgNodes+1 {
				t.Errorf("%d values were made", p.nodes)
			}
			return
		}
	}
	t.Error("64 arrays of 10,000 values in each other were made")
}

func pieceAt(path, value string) gjson.Result {
	return gjson.Parse(`{"jsonPath":` + quote(path) + `,` + value + `}`)
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func many(s string) string { return strings.Repeat(s, maxPathSteps) }

func TestAnOrdinaryEventIsReadAndWrittenWithoutAllocating(t *testing.T) {
	r, w := Codec{}.NewEventReader(), Codec{}.NewEventWriter(dialects.WriterOptions{Model: "m", RequestID: "r"})
	ev := sse.Event{Data: []byte(part(`{"text":"a few words,\n\"and\" a line"}`, ""))}
	events, err := r.Read(ev, make([]conversation.Event, 0, 8))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for i := range events {
		out = w.Append(out, &events[i])
	}
	said, written := &r.(*eventReader).choices[0].said, &w.(*eventWriter).choices[0].said
	if n := testing.AllocsPerRun(100, func() {
		*said, *written = (*said)[:0], (*written)[:0] // an answer has an end
		events, _ = r.Read(ev, events[:0])
		out = w.Append(out[:0], &events[0])
	}); n != 0 || !strings.Contains(string(out), `{"text":"a few words,\n\"and\" a line"}`) {
		t.Errorf("%v allocations for %s", n, out)
	}
}
