package integration

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

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

// faultBomb is so many zeros, compressed.
// faultUsage are strange usages: what the dialect would say, and what the row must not say. The numbers come in at two
// places of each dialect.
