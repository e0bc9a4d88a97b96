package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group C, first part: streams that stop, break, or never begin.

func TestFaults_T28_NoFirstByte(t *testing.T) {
	faultTest(t, 28, func(f *fault) {
		const timeout = 200 * time.Millisecond
		var latest time.Duration
		f.streams(func(f *fault, d *gwClient, kind string) {
			for name, script := range map[string]faultllm.Script{
				"nothing": {Cut: &faultllm.Cut{Where: faultllm.BeforeHead, How: faultllm.Stall}}, "only a head": {Cut: &faultllm.Cut{Where: faultllm.AfterHead, How: faultllm.Stall}},
				"only a preamble": faultllm.CutAfter(0, faultllm.Stall),
			} {
				f.run(name, func(f *fault) {
					r := f.rig()
					slow := r.up("slow", kind, faultllm.Always(script))
					r.up("good", kind, faultllm.Always(faultllm.Script{}))
					r.start("first_token_timeout 200ms\nmodel m slow/a good/b")
					h := r.ask(d, "m", true)
					f.must(h.good() && h.tries() == 2, "fallback", "%s", &h)
					f.must(h.took <= timeout+faultLate(100*time.Millisecond), "on time", "%v", h.took)
					f.must(slow.Wait(gwPatience, func(j []faultllm.Entry) bool { return j[0].Outcome == faultllm.Gone }), "canceled", "")
					latest = max(latest, h.took)
				})
			}
		})
		f.run("keep-alive", func(f *fault) {
			if !f.full() {
				return
			}
			r := f.rig()
			r.up("p", "openai", faultllm.Always(faultllm.Script{Delay: 32 * time.Second}))
			r.start("")
			for _, d := range []*gwClient{gwChat, gwMessages} {
				h := r.ask(d, "p/x", true)
				f.must(h.first < 26*time.Second && h.good(), "keep-alive", "the first byte after %v, %s", h.first, &h)
			}
		})
		f.figure("timeout of %v: answered by the other target after ≤ %v", timeout, latest.Round(time.Millisecond))
	})
}

func TestFaults_T29_SilenceInTheMiddle(t *testing.T) {
	faultTest(t, 29, func(f *fault) {
		const timeout = 200 * time.Millisecond
		var latest time.Duration
		f.streams(func(f *fault, d *gwClient, kind string) {
			r := f.rig()
			one := r.up("one", kind, faultllm.Always(faultllm.CutAfter(4, faultllm.Stall)))
			two := r.up("two", kind, faultllm.Always(faultllm.Script{}))
			r.start("idle_timeout 200ms\nmodel m one/a two/b")
			h := r.ask(d, "m", true)
			f.must(h.status == 200 && h.Failed && !h.Complete && h.Pieces() == 4, "error event", "%s", &h)
			f.must(one.Len() == 1 && two.Len() == 0, "no retry", "%d and %d requests", one.Len(), two.Len())
			f.must(h.took-h.first <= timeout+faultLate(100*time.Millisecond), "on time", "%v", h.took-h.first)
			r.estimated(f, 1)
			latest = max(latest, h.took-h.first)
		})
		f.figure("timeout of %v: error event after ≤ %v, 0 retries", timeout, latest.Round(time.Millisecond))
	})
}

// estimated demands that the ledger has n rows, all of them estimates.
func (r *faultRig) estimated(f *fault, n int) {
	r.Helper()
	r.finished()
	rows := r.rows(func(e *accounting.Entry) bool { return e.Certainty == accounting.Estimated && e.ErrorClass != "" })
	f.must(len(rows) == n && faultBooks.len() == n, "estimated rows", "%d of %d: %+v", len(rows), faultBooks.len(), faultBooks.all())
}

func TestFaults_T30_AByteAtATime(t *testing.T) {
	faultTest(t, 30, func(f *fault) {
		f.streams(func(f *fault, d *gwClient, kind string) {
			r := f.rig()
			r.up("whole", kind, faultllm.Always(faultllm.Script{Pieces: 6}))
			r.up("drips", kind, faultllm.Always(faultllm.Script{Pieces: 6, Split: 1, Gap: faultTime(0, 4*time.Millisecond)}))
			r.up("endless", kind, faultllm.Always(faultllm.Script{Pieces: 2_000, Split: 1, Gap: time.Millisecond}))
			r.start("model m {\nto endless/m\nrequest_timeout 500ms\n}")
			whole, drips := r.ask(d, "whole/x", true), r.ask(d, "drips/x", true)
			f.must(whole.good() && drips.good() && whole.Text == drips.Text, "identical", "%s\n%s", &whole, &drips)
			if d.kind == kind {
				f.must(whole.body == drips.body, "identical bytes", "%q\n%q", gwClip(whole.body, 300), gwClip(drips.body, 300))
			}
			h := r.ask(d, "m", true)
			f.must((h.status == 200 || h.status == 504) && h.Failed && h.took < 500*time.Millisecond+faultLate(100*time.Millisecond), "total cap", "%v, %s", h.took, &h)
		})
		f.figure("output identical; the cap of a request applies")
	})
}

func TestFaults_T31_HeadersThenReset(t *testing.T) {
	faultTest(t, 31, func(f *fault) {
		head, preamble := faultllm.Script{Cut: &faultllm.Cut{Where: faultllm.AfterHead, How: faultllm.RST}}, faultllm.CutAfter(0, faultllm.RST)
		f.streams(func(f *fault, d *gwClient, kind string) {
			r := f.rig()
			r.up("bad", kind, faultllm.InTurn(head, preamble))
			r.up("good", kind, faultllm.Always(faultllm.Script{}))
			r.start("model m bad/a good/b")
			for range 2 {
				h := r.ask(d, "m", true)
				f.must(h.good() && h.tries() == 2, "invisible", "%s", &h)
			}
		})
		f.run("load", func(f *fault) {
			r := f.rig()
			r.up("bad", "openai", faultllm.Random(faultSeed(f), 0.45, faultllm.Script{}, head, preamble))
			r.up("good", "openai", faultllm.Always(faultllm.Script{}))
			r.start("max_fails 1000000\nfail_duration 1s\nmodel m bad/a good/b")
			n := faultN(300, 1000)
			answers := r.load(n, 8, func(i int) heard { return r.ask(gwAllClients[i%4], "m", true) })
			bad, first := faultBad(answers)
			f.must(bad == 0, "invisible", "%d errors, the first %s", bad, first)
			f.figure("N=%d: %d errors", n, bad)
		})
	})
}

func TestFaults_T32_ResetAfterEvents(t *testing.T) {
	faultTest(t, 32, func(f *fault) {
		flagged, exact, all := 0, 0, 0
		f.streams(func(f *fault, d *gwClient, kind string) {
			r := f.rig()
			one := r.up("one", kind, func(q *faultllm.Request) faultllm.Script { return faultllm.CutAfter(faultEvents(q), faultllm.RST) })
			two := r.up("two", kind, faultllm.Always(faultllm.Script{}))
			r.start("max_fails 1000000\nfail_duration 1s\nmodel m one/a two/b")
			ks := []int{1, 2, 3, 10, 50}
			if faultsFull {
				for ks = nil; len(ks) < 50; {
					ks = append(ks, len(ks)+1)
				}
			}
			for _, k := range ks {
				h := r.askFor(f.Context(), d, "m", true, fmt.Sprintf("%s events:%05d", gwPrompt, k))
				f.must(h.status == 200 && h.Failed && !h.Complete && h.tries() == 1, "error event", "k=%d: %s", k, &h)
				f.must(h.Pieces() == k, "each event once", "k=%d: %d", k, h.Pieces())
				all++
				if h.Failed && !h.Complete {
					flagged++
				}
				if h.Pieces() == k {
					exact++
				}
			}
			f.must(two.Len() == 0 && one.Len() == len(ks), "no retry", "%d and %d requests", one.Len(), two.Len())
			r.estimated(f, len(ks))
		})
		f.figure("N=%d: %d with an error event and no end marker, %d got exactly 1…k", all, flagged, exact)
	})
}

// faultEvents is the number that a prompt asks for.
func faultEvents(q *faultllm.Request) (k int) {
	_, after, _ := strings.Cut(string(q.Body), "events:")
	_, _ = fmt.Sscanf(after, "%05d", &k) // 0 if it is missing
	return k
}

func TestFaults_T33_CleanEndWithoutEndMarker(t *testing.T) {
	faultTest(t, 33, func(f *fault) {
		flagged, all := 0, 0
		f.streams(func(f *fault, d *gwClient, kind string) {
			for _, how := range []faultllm.How{faultllm.End, faultllm.FIN} {
				for _, k := range []int{1, 5} {
					f.run(fmt.Sprint(how, " after ", k), func(f *fault) {
						r := f.rig()
						r.up("one", kind, faultllm.Always(faultllm.Script{Pieces: 5, Cut: &faultllm.Cut{Where: faultllm.AfterPieces, N: k, How: how}}))
						two := r.up("two", kind, faultllm.Always(faultllm.Script{}))
						r.start("model m one/a two/b")
						h := r.ask(d, "m", true)
						f.must(h.status == 200 && h.Failed && !h.Complete && h.Pieces() == k && two.Len() == 0, "flagged", "%s", &h)
						r.estimated(f, 1)
						all++
						if h.Failed && !h.Complete {
							flagged++
						}
					})
				}
			}
		})
		f.figure("%d of %d flagged", flagged, all)
	})
}

func TestFaults_T34_ErrorEventAfterContent(t *testing.T) {
	faultTest(t, 34, func(f *fault) {
		f.streams(func(f *fault, d *gwClient, kind string) {
			r := f.rig()
			r.up("one", kind, faultllm.Always(faultllm.Script{Pieces: 9, ErrorAfter: 4, Message: "made to fail in the middle", ErrorStatus: 503}))
			two := r.up("two", kind, faultllm.Always(faultllm.Script{}))
			r.start("model m one/a two/b")
			h := r.ask(d, "m", true)
			f.must(h.status == 200 && h.Failed && h.Pieces() == 3 && strings.Contains(h.Error, "made to fail in the middle"), "forwarded", "%s", &h)
			f.must(two.Len() == 0, "no retry", "%d requests", two.Len())
			r.estimated(f, 1)
		})
		f.figure("forwarded in the client's dialect, nothing after it")
	})
}

func TestFaults_T35_WrongLengthsAndChunks(t *testing.T) {
	faultTest(t, 35, func(f *fault) {
		silent, all, told := 0, 0, 0
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			unary := !stream
			for name, script := range map[string]faultllm.Script{
				"too long":       {Lie: 40},
				"too short":      {Lie: -40, Close: time.Millisecond},
				"broken chunk":   {BadChunk: true},
				"cut by bytes":   {Cut: &faultllm.Cut{Where: faultllm.AfterBytes, N: 120, How: faultllm.FIN}},
				"ended by bytes": {Cut: &faultllm.Cut{Where: faultllm.AfterBytes, N: 120, How: faultllm.End}},
			} {
				if stream && script.Lie < 0 {
					script.Lie = 200 // of a stream that is some two thousand bytes long
				}
				f.run(name, func(f *fault) {
					r := f.rig()
					r.up("p", kind, faultllm.Always(script))
					r.unsettled, r.raw = true, true // the demand below says what is wrong with them
					r.unseen["p"] = true
					r.start("lb_retries 1\nlb_try_interval 1ms")
					h := r.ask(d, "p/x", stream)
					all++
					whole := h.good() && h.Text == faultllm.Text(3)
					if !h.Failed && !whole {
						silent++
					}
					f.must(h.Failed || whole && unary, "never a truncated success", "%s", &h)
					// That more came than was announced is in the log; what it was is not, as the check of the canaries shows.
					if strings.Contains(r.c.log.text(), "Unsolicited response received") {
						told++
					}
				})
			}
		})
		f.must(told > 0, "surplus bytes are noticed", "no connection had any")
		f.figure("%d cases, %d silent truncations; %d times surplus bytes, none of them in a log", all, silent, told)
	})
}
