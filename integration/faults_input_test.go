package integration

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// Group D, second part: what clients send.

// overTLS is a second site with the same gateway, over TLS and HTTP/2, and its address.
// gwLoadText replaces the configuration.
// body sends a body as it is.
func (r *faultRig) body(d *gwClient, path, body string, header ...string) heard {
	r.Helper()
	start := time.Now()
	a := r.c.do(http.MethodPost, r.c.url(path), body, header...)
	h := heard{status: a.status, header: a.header, body: a.body, err: a.err, took: time.Since(start)}
	h.Heard = faultllm.Read(faultllm.Dialect(d.name), false, a.status, a.header.Get("Content-Type"), []byte(a.body))
	r.note(d, &h)
	return h
}

func TestFaults_T54_CompressedRequests(t *testing.T) {
	faultTest(t, 54, func(f *fault) {
		for _, d := range gwAllClients {
			f.run(d.name, func(f *fault) {
				r := f.rig()
				up := r.up("p", d.kind, faultllm.Always(faultllm.Script{}))
				r.start("")
				for _, encoding := range []string{"gzip", "br", "zstd", "deflate", "exotic", "gzip, gzip"} {
					h := r.body(d, d.at("p--x", false), strings.Repeat("\x1f\x8b", 1000), "Content-Encoding", encoding)
					f.must(h.status == 415 && h.Failed, "415", "%s: %s", encoding, &h)
				}
				f.must(up.Len() == 0, "no request", "%d requests", up.Len())
			})
		}
		f.figure("6 encodings × 4 dialects: 415")
	})
}

func TestFaults_T55_BombsOfJSON(t *testing.T) {
	faultTest(t, 55, func(f *fault) {
		size := faultN(8<<20, 31<<20)
		var longest time.Duration
		worst := 0.0
		clients := gwAllClients
		if !faultsFull {
			clients = gwBasicClients[:1]
		}
		for _, d := range clients {
			f.run(d.name, func(f *fault) {
				r := f.rig()
				up := r.up("p", d.kind, faultllm.Always(faultllm.Script{}))
				r.start("")
				good := strings.TrimSuffix(d.request("p/x", false, "x"), "}")
				many := strings.Builder{}
				for i := range faultN(1_000_100, 1_500_000) {
					fmt.Fprintf(&many, `,"k%d":0`, i)
				}
				for name, bomb := range map[string]string{
					"depth":   good + `,"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}",
					"objects": good + `,"x":[` + strings.Repeat("{},", size/3) + "{}]}",
					"keys":    good + many.String() + "}",
				} {
					runtime.GC()
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					h := r.body(d, d.at("p--x", false), bomb)
					runtime.ReadMemStats(&after)
					f.must(h.status == 400 && h.Failed, "400", "%s: %s", name, &h)
					longest = max(longest, h.took)
					// The client of the test holds the body too.
					grown := float64(after.HeapSys-min(before.HeapSys, after.HeapSys)) / float64(len(bomb))
					if len(bomb) > 4<<20 {
						worst = max(worst, grown)
					}
				}
				f.must(up.Len() == 0, "no request", "%d requests", up.Len())
				for name, odd := range map[string]string{
					"a long number": good + `,"x_unknown":` + strings.Repeat("9", 10<<20) + "}",
					"a long key":    good + `,"` + strings.Repeat("k", 10<<20) + `":1}`,
				} {
					h := r.body(d, d.at("p--x", false), odd)
					f.must(h.status == 400 || h.status == 200, "an answer", "%s: %s", name, &h)
					longest = max(longest, h.took)
				}
			})
		}
		f.must(longest <= 300*time.Millisecond+faultLate(200*time.Millisecond), "quick", "%v", longest)
		f.must(worst <= 4, "memory", "%.1f × the body", worst)
		f.figure("bombs of %d MiB: refused after ≤ %v, heap +%.1f × the body", size>>20, longest.Round(time.Millisecond), worst)
	})
}

func TestFaults_T56_DuplicateKeys(t *testing.T) {
	faultTest(t, 56, func(f *fault) {
		cases := 0
		for _, d := range gwAllClients {
			f.run(d.name, func(f *fault) {
				r := f.rig()
				up := r.up("p", d.kind, faultllm.Always(faultllm.Script{}))
				r.start("")
				good := d.request("p/x", false, "x")
				first, _, _ := strings.Cut(strings.TrimPrefix(good, `{"`), `"`)
				doubles := []string{`"` + first + `":null,`, `"` + strings.ToUpper(first) + `":null,`, `"\u00` + fmt.Sprintf("%02x", first[0]) + first[1:] + `":null,`}
				if d != gwGemini {
					doubles = append(doubles, `"model":"other",`, `"Model":"other",`, `"MODEL":"other",`, `"\u006dodel":"other",`, `"stream":true,`, `"Stream":true,`)
				}
				switch d {
				case gwChat, gwMessages:
					doubles = append(doubles, `"max_tokens":1,"max_tokens":9,`, `"max_to\u212Aens":9,"max_tokens":1,`, "\"max_to\u212aens\":9,\"max_tokens\":1,")
				case gwResponses:
					doubles = append(doubles, `"max_output_tokens":1,"Max_Output_Tokens":9,`)
				case gwGemini:
					doubles = append(doubles, `"generationConfig":{},"GenerationConfig":{},`)
				}
				for _, double := range doubles {
					h := r.body(d, d.at("p--x", false), "{"+double+strings.TrimPrefix(good, "{"))
					f.must(h.status == 400 && h.Failed, "400", "%s: %s", double, &h)
					cases++
				}
				f.must(up.Len() == 0, "no request", "%d requests", up.Len())
				h := r.body(d, d.at("p--x", false), `{"x_foo":1,"x_foo":2,"X_Foo":3,`+strings.TrimPrefix(good, "{"))
				sent := ""
				if up.Len() == 1 {
					sent = string(up.All()[0].Body)
				}
				f.must(h.good() && strings.Contains(sent, `"x_foo":1,"x_foo":2,"X_Foo":3`), "unknown ones untouched", "%s: %s", &h, sent)
			})
		}
		f.figure("%d bodies: 400; unknown keys are passed on as they are", cases)
	})
}

func TestFaults_T57_NoJSON(t *testing.T) {
	faultTest(t, 57, func(f *fault) {
		cases := 0
		for _, d := range gwAllClients {
			f.run(d.name, func(f *fault) {
				r := f.rig()
				up := r.up("p", d.kind, faultllm.Always(faultllm.Script{}))
				r.start("")
				good, path := d.request("p/x", false, "x"), d.at("p--x", false)
				for name, body := range map[string]string{
					"blank": " \n", "garbage after": good + "garbage", "two": good + good, "NUL after": good + "\x00", "NUL inside": strings.Replace(good, "x", "\x00", 1), "UTF-16": "\xff\xfe{\x00}\x00",
					"list": "[" + good + "]", "text": `"` + "x" + `"`, "null": "null", "number": "7", "half": good[:len(good)/2], "comma": strings.TrimSuffix(good, "}") + ",}",
					"single quotes": strings.ReplaceAll(good, `"`, "'"), "comment": "/* */" + good, "form": "a=b&c=d", "NaN": strings.TrimSuffix(good, "}") + `,"x":NaN}`, "control": strings.TrimSuffix(good, "}") + ",\"x\":\"a\nb\"}",
				} {
					h := r.body(d, path, body)
					f.must(h.status == 400 && h.Failed, "400", "%s: %s", name, &h)
					cases++
				}
				for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "text/html"} {
					c := r.dial(0)
					if err := c.Send(strings.Replace(faultllm.Post(path, good), "application/json", kind, 1)); err != nil {
						f.Fatal(err)
					}
					resp, err := c.Response(gwPatience)
					if err != nil {
						f.Fatal(err)
					}
					body, _ := io.ReadAll(resp.Body)
					h := faultllm.Read(faultllm.Dialect(d.name), false, resp.StatusCode, resp.Header.Get("Content-Type"), body)
					f.must(resp.StatusCode == 415 && h.Failed && len(h.Broken) == 0, "415", "%s: %d %s", kind, resp.StatusCode, body)
					c.Close()
					cases++
				}
				f.must(up.Len() == 0, "no request", "%d requests", up.Len())
			})
		}
		f.figure("%d bodies: 400 or 415", cases)
	})
}

// faultHeaders are the headers that a provider may see.
func TestFaults_T59_ControlCharactersInNames(t *testing.T) {
	faultTest(t, 59, func(f *fault) {
		requests := 0
		for _, d := range gwAllClients {
			f.run(d.name, func(f *fault) {
				r := f.rig()
				up := r.up("p", d.kind, faultllm.Always(faultllm.Script{}))
				r.start("identify feature {http.request.header.X-Feature}")
				for name, text := range map[string]string{"CRLF": "a\r\n{\"msg\":\"usage\"}", "ANSI": "\x1b[31mred", "long": strings.Repeat("m", 1<<20), "NUL": "a\x00b"} {
					if d == gwGemini && name == "long" {
						continue // it would not fit into a request line
					}
					path := d.path
					if d == gwGemini {
						path = strings.Replace(d.path, "%s", strings.NewReplacer("\r", "%0D", "\n", "%0A", "\x1b", "%1B", "\x00", "%00", "{", "%7B", "}", "%7D", `"`, "%22", "[", "%5B").Replace(text), 1)
					}
					body := d.request("MODEL", false, "x")
					body = strings.ReplaceAll(body, `"MODEL"`, string(gjson.AppendJSONString(nil, text)))
					h := r.body(d, path, body)
					f.must(h.status == 400 && h.Failed, "400", "%s: %s", name, &h)
					requests++
				}
				h := r.body(d, d.at("p--<script>alert(1)</script>", false), d.request("p/<script>alert(1)</script>", false, "x"))
				f.must(h.status == 200 || h.status == 404, "a name like any other", "%s", &h)
				h = r.body(d, d.at("p--x", false), d.request("p/x", false, "x"), "X-Feature", strings.Repeat("f\t", 500))
				f.must(h.good(), "a long tag", "%s", &h)
				requests += 2
				r.finished()
				f.must(up.Len() <= 2, "no request", "%d requests", up.Len())
				for line := range strings.SplitSeq(strings.TrimSpace(r.c.log.text()), "\n") {
					f.must(gjson.Valid(line), "one line each", "%s", gwClip(line, 300))
					if tag := gjson.Get(line, "feature").Str; len(tag) > 128 || strings.Contains(tag, "\t") {
						f.must(false, "tags", "%d bytes: %q", len(tag), gwClip(tag, 100))
					}
				}
			})
		}
		f.figure("%d requests; log lines = requests", requests)
	})
}

func TestFaults_T62_RoutingByTheClient(t *testing.T) {
	faultTest(t, 62, func(f *fault) {
		connections := 0
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			sink, err := faultllm.NewUpstream(faultllm.Always(faultllm.Script{}), faultllm.Options{})
			if err != nil {
				f.Fatal(err)
			}
			defer sink.Close()
			r := f.rig()
			up := r.up("p", kind, faultllm.Always(faultllm.Script{}))
			r.start("")
			for _, name := range []string{"api_base", "base_url", "api_key", "custom_llm_provider", "organization", "fallbacks", "metadata", "extra_headers"} {
				body := strings.TrimSuffix(d.request("p/x", stream, "x"), "}") + fmt.Sprintf(`,%q:%q}`, name, sink.URL())
				if name == "extra_headers" || name == "metadata" {
					body = strings.Replace(body, `"`+sink.URL()+`"`, `{"authorization":"`+sink.URL()+`"}`, 1)
				}
				a := r.c.post(d.at("p--x", stream), body, "X-Portkey-Custom-Host", sink.URL(), "X-Base-Url", sink.URL(), "X-Upstream", sink.Addr(), "Api-Base", sink.URL(), "X-Forwarded-Host", sink.Addr())
				f.must(a.status == 200 || a.status == 400, "an answer", "%s: %d %s", name, a.status, gwClip(a.body, 300))
			}
			r.finished()
			for _, e := range up.All() {
				f.must(e.Credential == faultKey("p"), "own credential", "another credential")
			}
			accepted, _ := sink.Connections()
			connections += accepted
			f.must(accepted == 0, "no connection", "%d", accepted)
		})
		f.figure("%d connections to where clients pointed", connections)
	})
}

func TestFaults_T66_StrangeMaxTokens(t *testing.T) {
	faultTest(t, 66, func(f *fault) {
		refused, passed := 0, 0
		f.pairs(func(f *fault, d *gwClient, kind string, stream bool) {
			r := f.rig()
			r.up("p", kind, faultllm.Always(faultllm.Script{}))
			r.start("lb_policy cheapest\nmodel m p/a p/b\nprice * input 2 output 10")
			name := map[*gwClient]string{gwResponses: "max_output_tokens", gwGemini: "generationConfig"}[d]
			if name == "" {
				name = "max_tokens"
			}
			for _, v := range []string{"-1", "0", "1e18", "9223372036854775808", `"5"`, "null", "1.5", "[]", "true"} {
				if d == gwGemini {
					v = `{"maxOutputTokens":` + v + `}`
				}
				body := strings.Replace(d.request("m", stream, "x"), `"max_tokens":100,`, "", 1)
				body = strings.TrimSuffix(body, "}") + fmt.Sprintf(`,%q:%s,"n":1000000}`, name, v)
				a := r.c.post(d.at("m", stream), body)
				switch a.status {
				case 200:
					passed++
				case 400:
					refused++
				default:
					f.must(false, "400 or passed on", "%s: %d %s", v, a.status, gwClip(a.body, 300))
				}
			}
			r.finished()
			for _, e := range faultBooks.all() {
				f.must(e.Cost >= 0 && e.Usage.TotalOutput() >= 0, "no overflow", "%+v", e)
			}
		})
		f.figure("%d passed on, %d refused with 400; no negative cost", passed, refused)
	})
}
