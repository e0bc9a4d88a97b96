package integration

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group C, third part: answers that are not what they should be.

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

var faultUsage = []struct {
	name, in, out string
	reported      bool // it may be believed
}{
	{"zero", "0", "0", true},
	{"exponent", "1e3", "2e1", true},
	{"fraction", "10.0", "5.0", true},
	{"text", `"10"`, `"7"`, true},
	{"negative input", "-5", "5", false},
	{"negative output", "10", "-5", false},
	{"2^63", "9223372036854775808", "5", false},
	{"-2^63", "-9223372036854775808", "5", false},
	{"huge", "1e300", "1e300", false},
	{"null", "null", "null", false},
	{"list", "[1]", "{}", false},
	{"true", "true", "false", false},
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
		many, size := faultN(1000, 10_000), 5<<20
		if faultRace {
			size = 1 << 20
		}
		bodies := map[string]string{
			"very long arguments": calls(1, `{"x":"`+strings.Repeat("y", size)+`"}`), "arguments that are no JSON": calls(1, `{"x":`), "no arguments": calls(2, ""), "parallel": calls(many, `{"x":1}`),
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
		f.figure("%d MiB of arguments, broken ones, %d parallel calls × 4 dialects", size>>20, many)
	})
}
