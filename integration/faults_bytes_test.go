package integration

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group C, second part: what is in a stream.

func TestFaults_T36_SplitAtEveryByte(t *testing.T) {
	faultTest(t, 36, func(f *fault) {
		var splits atomic.Int64
		f.streams(func(f *fault, d *gwClient, kind string) {
			r := f.rig()
			up := r.up("p", kind, func(q *faultllm.Request) faultllm.Script {
				at := faultEvents(q)
				s := faultllm.Script{Pieces: 3, Gap: 0, SplitAt: at, Burst: true}
				switch {
				case at >= 90_000: // in many places at once
					s.SplitAt, s.Split = 0, 1+at%37
				case at > 0:
					s.Gap = 500 * time.Microsecond // long enough for the first half to travel alone
				}
				return s
			})
			r.start("")
			ask := func(at int) heard {
				return r.askFor(f.Context(), d, "p/x", true, fmt.Sprintf("%s events:%05d", gwPrompt, at))
			}
			whole := ask(0)
			if !whole.good() {
				f.Fatalf("T36: %s", &whole)
			}
			length := int(up.All()[0].Bytes)
			var at []int
			for i := 1; i < length; i += faultN(17, 1) {
				at = append(at, i)
			}
			for range faultN(20, 1000) {
				at = append(at, 90_000+rand.IntN(9999))
			}
			answers := r.load(len(at), 8, func(i int) heard { return ask(at[i]) })
			for i := range answers {
				h := &answers[i]
				same := h.good() && h.Text == whole.Text && h.Events == whole.Events
				if d.kind == kind {
					same = same && h.body == whole.body
				}
				f.must(same, "identical", "split at %d of %d: %s", at[i], length, h)
			}
			splits.Add(int64(len(at)))
		})
		f.figure("%d splits of 6 streams: the same output", splits.Load())
	})
}

func TestFaults_T37_LineEndsAndFields(t *testing.T) {
	faultTest(t, 37, func(f *fault) {
		lines := func(with string) func(string) string {
			return func(s string) string {
				return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", with)
			}
		}
		first := func(change func(string) string) func() func(string) string {
			return func() func(string) string {
				done := false
				return func(s string) string {
					if done {
						return s
					}
					done = true
					return change(s)
				}
			}
		}
		always := func(change func(string) string) func() func(string) string {
			return func() func(string) string { return change }
		}
		mixed := func() func(string) string {
			n := 0
			return func(s string) string { n++; return lines([]string{"\n", "\r\n", "\r"}[n%3])(s) }
		}
		mangles := map[string]func() func(string) string{
			"CRLF": always(lines("\r\n")), "CR": always(lines("\r")), "mixed": mixed, "BOM": first(func(s string) string { return "\ufeff" + s }),
			"no space": always(func(s string) string {
				return strings.ReplaceAll(strings.ReplaceAll(s, "data: ", "data:"), "event: ", "event:")
			}),
			"multi-line":     always(func(s string) string { return strings.Replace(s, `,"`, ",\ndata: \"", 1) }),
			"id, retry, foo": always(func(s string) string { return "id: 7\nretry: 10\nfoo: bar\nnofield\n" + s }),
			"comments":       always(func(s string) string { return ": OPENROUTER PROCESSING\n\n" + s }),
			"blank lines":    always(func(s string) string { return "\n\n" + s }),
		}
		f.streams(func(f *fault, d *gwClient, kind string) {
			for name, mangle := range mangles {
				f.run(name, func(f *fault) {
					r := f.rig()
					r.raw = d == gwGemini && name == "comments" && kind == d.kind // comments of the provider are its own affair
					r.up("p", kind, func(*faultllm.Request) faultllm.Script { return faultllm.Script{Pieces: 4, Mangle: mangle()} })
					r.start("lb_retries 0")
					h := r.ask(d, "p/x", true)
					f.must(h.status == 200 && h.Complete && h.Pieces() == 4, "understood", "%s", &h)
					f.must(!strings.Contains(h.Text, "PROCESSING"), "no comment as data", "%s", &h)
				})
			}
			f.run("no final newline", func(f *fault) {
				r := f.rig()
				r.raw = d.kind == kind // the demand below says what is wrong with it
				r.up("p", kind, func(*faultllm.Request) faultllm.Script {
					return faultllm.Script{Pieces: 4, Mangle: func(s string) string {
						if strings.Contains(s, d.terminal) || strings.Contains(s, "[DONE]") || strings.Contains(s, "message_stop") || strings.Contains(s, "response.completed") || strings.Contains(s, "STOP") {
							return strings.TrimRight(s, "\r\n")
						}
						return s
					}}
				})
				r.start("lb_retries 0")
				h := r.ask(d, "p/x", true)
				f.must(h.status == 200 && h.Pieces() == 4 && (h.Complete || h.Failed), "an end or an error", "%s", &h)
			})
		})
		f.figure("%d variants × 6", len(mangles)+1)
	})
}

func TestFaults_T38_StrangeText(t *testing.T) {
	faultTest(t, 38, func(f *fault) {
		texts := map[string]string{"invalid UTF-8": "a\xff\xfeb", "U+2028": "a\u2028b", "NUL": `a\u0000b`, "lone surrogate": `a\ud800b`, "half a surrogate pair and text": `\udc00x`, "replacement": "a\ufffdb"}
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			for name, text := range texts {
				f.run(name, func(f *fault) {
					r := f.rig()
					r.odd = true
					r.up("p", kind, faultllm.Always(faultllm.Script{Pieces: 3, Mangle: func(s string) string { return strings.ReplaceAll(s, faultllm.Piece(2), text) }}))
					r.start("lb_retries 0")
					h := r.ask(d, "p/x", stream)
					f.must(h.good() && strings.HasPrefix(h.Text, faultllm.Piece(1)) && strings.HasSuffix(h.Text, faultllm.Piece(3)), "neighbors", "%s", &h)
					if d.kind == kind {
						f.must(strings.Contains(h.body, text), "byte-exact", "%q", gwClip(h.body, 900))
					} else {
						f.must(utf8.ValidString(h.body), "valid UTF-8", "%q", gwClip(h.body, 900))
					}
				})
			}
		})
		f.figure("%d texts × 12", len(texts))
	})
}

func TestFaults_T39_LongLines(t *testing.T) {
	faultTest(t, 39, func(f *fault) {
		long := func(n int) faultllm.Script {
			return faultllm.Script{Pieces: 3, Mangle: func(s string) string { return strings.ReplaceAll(s, faultllm.Piece(2), strings.Repeat("z", n)) }}
		}
		var most int64
		var heap uint64
		f.streams(func(f *fault, d *gwClient, kind string) {
			if !faultsFull && (d != gwChat || kind != d.kind) {
				return
			}
			r := f.rig()
			r.odd, r.unsettled = true, true
			r.up("large", kind, faultllm.Always(long(5<<20)))
			r.up("toolarge", kind, faultllm.Always(long(16<<20+1)))
			endless := r.up("endless", kind, faultllm.Always(faultllm.Script{Body: "data: {\"x\":\"aaaa", Fill: -1}))
			r.start("lb_retries 0")
			h := r.ask(d, "large/x", true)
			f.must(h.good() && len(h.Text) > 5<<20, "5 MiB", "%s", &h)
			h = r.ask(d, "toolarge/x", true)
			f.must(h.Failed && !h.Complete, "16 MiB and 1", "%s", &h)
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			h = r.ask(d, "endless/x", true)
			runtime.ReadMemStats(&after)
			f.must(h.Failed && h.status >= 500, "endless", "%s", &h)
			heap = max(heap, after.HeapSys-min(before.HeapSys, after.HeapSys))
			if !endless.Wait(gwPatience, func(j []faultllm.Entry) bool { return j[0].Outcome == faultllm.Gone }) {
				f.Fatal("T39: the endless answer goes on")
			}
			most = max(most, endless.All()[0].Bytes)
		})
		f.must(most < 48<<20, "cut at 16 MiB", "%d bytes were taken", most)
		f.must(heap <= 96<<20, "memory", "the heap grew by %d MiB", heap>>20) // of gateway, provider and client together
		f.figure("an endless line ends after %.1f MiB (kernel buffers included), heap +%d MiB", float64(most)/(1<<20), heap>>20)
	})
}

func TestFaults_T40_ManyEvents(t *testing.T) {
	faultTest(t, 40, func(f *fault) {
		n := faultN(2_000, 90_000)
		for name, burst := range map[string]bool{"one by one": false, "in one segment": true} {
			f.run(name, func(f *fault) {
				f.streams(func(f *fault, d *gwClient, kind string) {
					r := f.rig()
					r.up("p", kind, faultllm.Always(faultllm.Script{Pieces: n, Burst: burst}))
					r.start("")
					h := r.ask(d, "p/x", true)
					f.must(h.good() && h.Pieces() == n, "no event lost", "%d of %d, %v", h.Pieces(), n, h.err)
					if burst && (d == gwChat || d == gwMessages) && d.kind == kind {
						f.figure("%s: %.0f events/s with provider and client in the same process", d.name, float64(n)/h.took.Seconds())
					}
				})
			})
		}
	})
}

func TestFaults_T41_MalformedEvent(t *testing.T) {
	faultTest(t, 41, func(f *fault) {
		f.streams(func(f *fault, d *gwClient, kind string) {
			r := f.rig()
			r.raw = d.kind == kind
			bad := "data: {\"broken\n\n"
			if kind == "anthropic" {
				bad = "event: content_block_delta\n" + bad
			}
			r.up("p", kind, faultllm.Always(faultllm.Script{Pieces: 4, Insert: map[int]string{3: bad}}))
			r.start("lb_retries 0")
			h := r.ask(d, "p/x", true)
			if d.kind == kind {
				f.must(strings.Contains(h.body, `{"broken`) && h.Pieces() == 4, "forwarded", "%s", &h)
			} else {
				f.must(h.status == 200 && h.Failed && h.Pieces() == 2, "error event", "%s", &h)
			}
		})
		f.figure("passed on where nothing is translated, else an error event")
	})
}

func TestFaults_T42_EventsOutOfOrder(t *testing.T) {
	faultTest(t, 42, func(f *fault) {
		kinds := map[string]faultllm.Dialect{"openai": faultllm.Chat, "anthropic": faultllm.Messages, "gemini": faultllm.Gemini}
		good, all := 0, 0
		for kind, dialect := range kinds {
			for _, d := range gwAllClients {
				if d.kind == kind && !(kind == "openai" && d == gwResponses) || kind == "openai" && d == gwResponses {
					continue // not translated
				}
				f.run(fmt.Sprint(d.name, " over ", kind), func(f *fault) {
					seed := faultSeed(f)
					rng := rand.New(rand.NewPCG(seed, 0))
					r := f.rig()
					r.odd, r.unsettled = true, true
					r.up("p", kind, func(*faultllm.Request) faultllm.Script {
						return faultllm.Script{Body: faultShuffled(rng, dialect), Header: map[string][]string{"Content-Type": {"text/event-stream"}}}
					})
					r.start("lb_retries 0\nmax_fails 1000000\nfail_duration 1s")
					for range faultN(60, 2000) {
						h := r.ask(d, "p/x", true)
						all++
						f.must(len(h.Broken) == 0 || onlyPieces(h.Broken), "grammar", "%s\n%v", &h, h.Broken)
						f.must(h.Complete != h.Failed, "one end", "%s", &h)
						if h.Complete {
							good++
						}
					}
				})
			}
		}
		f.figure("%d disturbed streams: the client's grammar holds in all; %d repaired, %d errors", all, good, all-good)
	})
}

func onlyPieces(broken []string) bool {
	for _, b := range broken {
		if !strings.HasPrefix(b, "pieces ") {
			return false
		}
	}
	return true
}

// faultShuffled is a stream with up to three events lost, doubled or moved.
func faultShuffled(rng *rand.Rand, d faultllm.Dialect) string {
	before, pieces, after := faultllm.Events(d, "x", 3)
	events := append(append(append([]string{}, before...), pieces...), after...)
	for range 1 + rng.IntN(3) {
		i, j := rng.IntN(len(events)), rng.IntN(len(events))
		switch rng.IntN(3) {
		case 0:
			events = append(events[:i], events[i+1:]...)
		case 1:
			events = append(events, events[i])
			copy(events[j+1:], events[j:])
			events[j] = events[min(i, len(events)-1)]
		default:
			events[i], events[j] = events[j], events[i]
		}
	}
	return strings.Join(events, "")
}

func TestFaults_T43_JSONForAStreamAndAStreamForJSON(t *testing.T) {
	faultTest(t, 43, func(f *fault) {
		converted, refused := 0, 0
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			r := f.rig()
			other := !stream
			r.up("p", kind, faultllm.Always(faultllm.Script{Stream: &other}))
			r.start("lb_retries 0")
			h := r.ask(d, "p/x", stream)
			switch {
			case h.good() && h.Pieces() == 3:
				converted++
			case h.status == 502 && h.Failed:
				refused++
			default:
				f.must(false, "converted or 502", "%s", &h)
			}
		})
		f.figure("%d converted, %d refused with 502", converted, refused)
	})
}

func TestFaults_T44_CompressedAnswers(t *testing.T) {
	faultTest(t, 44, func(f *fault) {
		bomb := faultllm.Script{Body: faultBomb(f, 64<<20), Header: map[string][]string{"Content-Encoding": {"gzip"}, "Content-Type": {"application/json"}}}
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			r := f.rig()
			r.unsettled = true
			up := r.up("p", kind, faultllm.InTurn(
				faultllm.Script{Gzip: true},
				bomb,
				faultllm.Script{Header: map[string][]string{"Content-Encoding": {"br"}, "Content-Type": {"application/json"}}},
				faultllm.Script{Header: map[string][]string{"Content-Encoding": {"exotic"}, "Content-Type": {"text/event-stream"}}},
			))
			r.start("lb_retries 0")
			for range 4 {
				h := r.ask(d, "p/x", stream)
				f.must(h.status == 502 && h.Failed, "502", "%s", &h)
			}
			for _, e := range up.All() {
				ae := e.Header.Get("Accept-Encoding")
				f.must(ae == "" || ae == "identity", "identity requested", "accept-encoding %q", ae)
			}
		})
		f.figure("48 compressed answers, bombs of 64 MiB among them: 502, none is decompressed")
	})
}

// faultBomb is so many zeros, compressed.
func faultBomb(f *fault, size int) string {
	f.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.CopyN(z, zeros{}, int64(size))
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		f.Fatal(err)
	}
	return b.String()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// faultUsage are strange usages: what the dialect would say, and what the row must not say. The numbers come in at two
// places of each dialect.
var faultUsage = []struct {
	name, in, out string
	reported      bool // it may be believed
}{
	{"zero", "0", "0", true}, {"exponent", "1e3", "2e1", true}, {"fraction", "10.0", "5.0", true}, {"text", `"10"`, `"7"`, true},
	{"negative input", "-5", "5", false}, {"negative output", "10", "-5", false}, {"2^63", "9223372036854775808", "5", false},
	{"-2^63", "-9223372036854775808", "5", false}, {"huge", "1e300", "1e300", false}, {"null", "null", "null", false}, {"list", "[1]", "{}", false}, {"true", "true", "false", false},
}

func TestFaults_T45_StrangeUsage(t *testing.T) {
	faultTest(t, 45, func(f *fault) {
		cases := 0
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			r := f.rig()
			i := 0
			r.up("p", kind, func(q *faultllm.Request) faultllm.Script {
				u := faultUsage[min(i, len(faultUsage)-1)]
				i++
				form := map[faultllm.Dialect]string{
					faultllm.Chat: `{"prompt_tokens":%s,"completion_tokens":%s}`, faultllm.Gemini: `{"promptTokenCount":%s,"candidatesTokenCount":%s}`,
				}[q.Dialect]
				if form == "" {
					form = `{"input_tokens":%s,"output_tokens":%s}`
				}
				return faultllm.Script{Usage: fmt.Sprintf(form, u.in, u.out)}
			})
			r.up("none", kind, faultllm.Always(faultllm.Script{Usage: "none"}))
			r.start("price * input 2 output 10")
			var spent accounting.Money
			for _, u := range faultUsage {
				before := faultBooks.len()
				h := r.ask(d, "p/x", stream)
				f.must(h.good(), "answered", "%s: %s", u.name, &h)
				r.finished()
				row := faultBooks.all()[before]
				v := row.Usage
				sane := min(v.Input, v.Output, v.CacheRead, v.Reasoning, v.TotalInput(), v.TotalOutput()) >= 0 && v.TotalInput() <= 50_000_000 && v.TotalOutput() <= 50_000_000 && row.Cost >= 0
				f.must(sane, "in bounds", "%s: %+v", u.name, row)
				f.must(row.Certainty == accounting.Reported || row.Certainty == accounting.Estimated, "charged", "%s: %+v", u.name, row)
				if u.name == "zero" {
					f.must(row.Certainty == accounting.Reported && v.Output <= 1, "zero stays zero", "%+v", row)
				}
				if u.name == "null" || u.name == "list" {
					f.must(row.Certainty == accounting.Estimated && v.Output > 0, "missing is not zero", "%s: %+v", u.name, row)
				}
				spent = spent.Add(row.Cost)
				cases++
			}
			f.must(spent >= 0, "never less", "%s", spent)
			h := r.ask(d, "none/x", stream)
			r.finished()
			rows := r.rows(func(e *accounting.Entry) bool { return e.Provider == "none" })
			f.must(h.good() && len(rows) == 1 && rows[0].Certainty == accounting.Estimated && rows[0].Usage.Output > 0 && rows[0].Usage.Input > 0, "estimated without usage", "%+v", rows)
		})
		f.figure("%d cases: nothing negative, nothing above the bound, zero is zero, nothing is estimated", cases)
	})
}

func TestFaults_T46_AnotherModelAnswers(t *testing.T) {
	faultTest(t, 46, func(f *fault) {
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			r := f.rig()
			r.up("p", kind, faultllm.Always(faultllm.Script{Mangle: func(s string) string { return strings.ReplaceAll(s, `"cheap"`, `"dear"`) }}))
			r.start("price p/cheap input 1 output 1\nprice p/dear input 100 output 100")
			h := r.ask(d, "p/cheap", stream)
			f.must(h.good(), "answered", "%s", &h)
			r.finished()
			row := faultBooks.all()[0]
			price := accounting.Money(row.Usage.TotalInput()+row.Usage.TotalOutput()) * accounting.Dollar / 1_000_000
			f.must(row.AnsweredModel == "dear" && row.UpstreamModel == "cheap", "flagged", "%+v", row)
			f.must(row.Cost == price, "price of the one asked for", "%s, not %s", row.Cost, price)
		})
		f.figure("charged at the price of the model asked for, the other one named in the row")
	})
}

func TestFaults_T47_ToolCalls(t *testing.T) {
	faultTest(t, 47, func(f *fault) {
		calls := func(n int, args string) string {
			var b strings.Builder
			chunk := func(delta, finish string) {
				b.WriteString(`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + "}]}\n\n")
			}
			chunk(`{"role":"assistant","content":null}`, "null")
			for i := range n {
				chunk(fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":"call_%d","type":"function","function":{"name":"f","arguments":""}}]}`, i, i), "null")
				for rest := args; rest != ""; {
					k := min(len(rest), 64<<10)
					chunk(fmt.Sprintf(`{"tool_calls":[{"index":%d,"function":{"arguments":%s}}]}`, i, gjson.AppendJSONString(nil, rest[:k])), "null")
					rest = rest[k:]
				}
			}
			chunk(`{}`, `"tool_calls"`)
			b.WriteString(gwChatUsage + gwDone)
			return b.String()
		}
		many := faultN(1000, 10_000)
		bodies := map[string]string{
			"5 MB of arguments": calls(1, `{"x":"`+strings.Repeat("y", 5<<20)+`"}`), "arguments that are no JSON": calls(1, `{"x":`), "no arguments": calls(2, ""), "parallel": calls(many, `{"x":1}`),
		}
		for _, d := range gwAllClients {
			for name, body := range bodies {
				f.run(d.name+" "+name, func(f *fault) {
					r := f.rig()
					r.unsettled = true
					r.provider("p", "compatible", "", 1, "")
					r.text.Reset()
					up := r.upstream("p", faultllm.Always(faultllm.Script{Body: body, Header: map[string][]string{"Content-Type": {"text/event-stream"}}}), faultllm.Options{})
					r.provider("p", "openai", up.URL(), 1, "dialect chat")
					r.start("lb_retries 0")
					h := r.ask(d, "p/x", true)
					f.must(h.Complete || h.Failed, "an end", "%s", gwClip(h.String(), 900))
					if name != "arguments that are no JSON" {
						f.must(h.good(), "passed through", "%s", gwClip(h.String(), 900))
					}
				})
			}
		}
		f.figure("5 MB of arguments, broken ones, %d parallel calls × 4 dialects", many)
	})
}
