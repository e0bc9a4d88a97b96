package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func TestBadRequestsAreRefusedInTheClientsDialect(t *testing.T) {
	for _, d := range gwAllClients {
		t.Run(d.name, func(t *testing.T) {
			up := gwServe(t, d.ok(false))
			c := gwStart(t, gwSite("provider p {{kind}} k {{up}}\nmodel claude-smart p/a\nmodel gpt-fast p/b\nmodels_only"), "{{up}}", up.url, "{{kind}}", d.kind)
			path, good := d.at("gpt-fast", false), d.request("gpt-fast", false, "x")
			long := strings.Repeat("x", 300)
			type row struct {
				name, path, body string
				status           int
				words            []string
			}
			rows := []row{
				{"nothing", path, " ", 400, []string{"JSON"}},
				{"no JSON", path, "hello", 400, []string{"JSON"}},
				{"an array", path, "[" + good + "]", 400, nil},
				{"half a document", path, good[:len(good)/2], 400, []string{"JSON"}},
				{"trailing garbage", path, good + "x", 400, []string{"JSON"}},
				{"two documents", path, good + good, 400, []string{"JSON"}},
				{"NUL", path, good + "\x00", 400, []string{"JSON"}},
				{"UTF-16", path, "\xff\xfe{\x00}\x00", 400, []string{"JSON"}},
				{"a deep document", path, strings.TrimSuffix(good, "}") + `,"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}", 400, nil},
			}
			if d == gwGemini {
				rows = append(rows,
					row{"an unknown model", d.at("gpt-fats", false), good, 404, []string{"gpt-fast"}},
					row{"a long model", d.at(long, false), good, 400, nil},
					row{"control characters", d.at("a%0Ab", false), good, 400, nil})
			} else {
				more := strings.TrimPrefix(good, "{")
				rows = append(rows,
					row{"a duplicate model", path, `{"model":"claude-smart",` + more, 400, []string{"model"}},
					row{"a model in another case", path, `{"Model":"claude-smart",` + more, 400, []string{"odel"}},
					row{"a duplicate by escape", path, `{"\u006dodel":"claude-smart",` + more, 400, []string{"model"}},
					row{"stream twice", path, `{"stream":true,` + more, 400, []string{"stream"}},
					row{"an unknown model", path, d.request("gpt-fats", false, "x"), 404, []string{"gpt-fast"}},
					row{"a long model", path, d.request(long, false, "x"), 400, []string{"model"}},
					row{"control characters", path, strings.Replace(good, "gpt-fast", `gpt\nfast`, 1), 400, []string{"model"}},
					row{"no model", path, strings.Replace(good, `"model"`, `"x"`, 1), 400, []string{"model"}},
					row{"a number for a model", path, strings.Replace(good, `"gpt-fast"`, `7`, 1), 400, []string{"model"}})
			}
			for _, tc := range rows {
				t.Run(tc.name, func(t *testing.T) {
					a := c.post(tc.path, tc.body)
					d.refused(t, a, tc.status, tc.words...)
					if a.header.Get("X-Llm-Gateway-Attempts") != "" {
						t.Errorf("headers %v", a.header)
					}
					if u := c.usage(a); int(u.Get("status").Int()) != tc.status || u.Get("attempts").Int() != 0 {
						t.Errorf("usage line %s", u.Raw)
					}
				})
			}
			up.expect(0)
			// One log line for each request, whatever was in it.
			for line := range strings.SplitSeq(strings.TrimSpace(c.log.text()), "\n") {
				if !strings.HasPrefix(line, "{") {
					t.Errorf("log line %q", line)
				}
			}
		})
	}
}

func TestALargeBodyIsRefusedBeforeItIsReadToItsEnd(t *testing.T) {
	for i, d := range gwAllClients {
		for _, chunked := range []bool{false, true} {
			if faultRace && chunked != (i%2 == 0) {
				continue
			}
			t.Run(fmt.Sprintf("%s chunked %v", d.name, chunked), func(t *testing.T) {
				up := gwServe(t, d.ok(false))
				c := gwStart(t, gwSite("provider p {{kind}} k {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
				const size = 33 << 20
				var read atomic.Int64
				body := gwCounter{io.MultiReader(strings.NewReader(`{"x":"`), bytes.NewReader(bytes.Repeat([]byte{'a'}, size))), &read}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url(d.at("p--m", false)), body)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Expect", "100-continue")
				if !chunked {
					r.ContentLength = size + 6
				}
				// The server may close the connection while the client still writes: then there is an error in place of
				// the answer, which is as good. A client that waits for 100 Continue sees the answer.
				resp, err := c.client.Do(r)
				if err != nil {
					if !chunked {
						t.Fatal(err)
					}
					t.Skipf("the connection was closed first: %v", err)
				}
				a := gwAnswer{status: resp.StatusCode, header: resp.Header}
				a.body = gwReadAll(resp)
				d.refused(t, a, 413, "33554432", "max_body")
				if !chunked && read.Load() > 1<<20 {
					t.Errorf("%d bytes were sent", read.Load())
				}
				up.expect(0)
			})
		}
	}
}

type gwCounter struct {
	io.Reader
	n *atomic.Int64
}

func (c gwCounter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func TestEncodedBodiesAndOtherTypesAreRefused(t *testing.T) {
	for _, d := range gwAllClients {
		t.Run(d.name, func(t *testing.T) {
			up := gwServe(t, d.ok(false))
			c := gwStart(t, gwSite("provider p {{kind}} k {{up}}"), "{{up}}", up.url, "{{kind}}", d.kind)
			for _, header := range [][2]string{{"Content-Encoding", "gzip"}, {"Content-Encoding", "br"}, {"Content-Type", "application/x-www-form-urlencoded"}} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url(d.at("p--m", false)), strings.NewReader(d.request("p/m", false, "x")))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set(header[0], header[1])
				resp, err := c.client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				a := gwAnswer{status: resp.StatusCode, header: resp.Header}
				a.body = gwReadAll(resp)
				d.refused(t, a, 415)
			}
			up.expect(0)
		})
	}
}

func TestMembersThatNameAnotherPlaceHaveNoEffect(t *testing.T) {
	sink := gwServe(t, gwChat.ok(false))
	up := gwServe(t, gwChat.ok(false))
	c := gwStart(t, gwSite("provider openai k {{up}}"), "{{up}}", up.url)
	a := c.post("/v1/chat/completions", fmt.Sprintf(`{"model":"openai/m","messages":[],"api_base":%q,"base_url":%q,"api_key":"x","organization":"y"}`, sink.url, sink.url),
		"X-Portkey-Custom-Host", sink.url, "Openai-Organization", "evil", "X-Forwarded-Host", strings.TrimPrefix(sink.url, "http://"))
	if a.status != 200 || sink.connections() != 0 || up.last().header.Get("Openai-Organization") != "" {
		t.Errorf("%d, %d connections, %v", a.status, sink.connections(), up.last().header)
	}
}

func TestPathsThatAreNotCanonicalAreSomebodyElses(t *testing.T) {
	up := gwServe(t, gwChat.ok(false))
	c := gwStart(t, `http://127.0.0.1:{{port}} {
		route {
			llm_gateway {
				provider openai k {{up}}
			}
			respond 418
		}
	}`, "{{up}}", up.url)
	for _, path := range []string{
		"//v1/chat/completions", "/v1//chat/completions", "/v1/chat%2Fcompletions", "/v1/./chat/completions", "/V1/chat/completions",
		"/v1/Chat/Completions", "/v1/chat/completions/", "/v1/chat/completions/x", "/v1/..;/chat/completions", "/v1/chatcompletions",
		"/v1beta/models/../x:generateContent", "/v1beta/models/m:explode",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url(""), strings.NewReader(gwChat.request("openai/m", false, "x")))
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Opaque = "//127.0.0.1:" + c.port + path // keeps the path as it is
		r.Header.Set("Content-Type", "application/json")
		resp, err := c.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if body := gwReadAll(resp); resp.StatusCode != 418 {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	up.expect(0)
}
