package faultllm

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const patience = 10 * time.Second

func start(t *testing.T, choose Chooser, opts Options) *Upstream {
	t.Helper()
	u, err := NewUpstream(choose, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

var paths = map[Dialect][2]string{
	Chat: {"/v1/chat/completions", "/v1/chat/completions"}, Responses: {"/v1/responses", "/v1/responses"}, Messages: {"/v1/messages", "/v1/messages"},
	Gemini: {"/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent?alt=sse"},
}

// ask sends a request of the dialect and reads the answer. err is the first error of either.
func ask(t *testing.T, u *Upstream, d Dialect, stream bool) (resp *http.Response, body []byte, err error) {
	t.Helper()
	path := paths[d][0]
	if stream {
		path = paths[d][1]
	}
	tr := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.URL()+path, strings.NewReader(fmt.Sprintf(`{"model":"m","stream":%v}`, stream)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "secret")
	if resp, err = tr.RoundTrip(req); err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp, body, err
}

func each(t *testing.T, test func(t *testing.T, d Dialect, stream bool)) {
	for d := range paths {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s stream %v", d, stream), func(t *testing.T) { test(t, d, stream) })
		}
	}
}

func TestAnAnswerKeepsTheRulesOfItsDialectAndIsInTheJournal(t *testing.T) {
	each(t, func(t *testing.T, d Dialect, stream bool) {
		u := start(t, Always(Script{Pieces: 12}), Options{})
		resp, body, err := ask(t, u, d, stream)
		if err != nil {
			t.Fatal(err)
		}
		h := Read(d, stream, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		if len(h.Broken) > 0 || !h.Complete || h.Pieces() != 12 || h.Failed {
			t.Errorf("%+v\n%s", h, body)
		}
		if !u.Wait(patience, func(j []Entry) bool { return len(j) == 1 && j[0].Outcome == Complete }) {
			t.Fatalf("journal %+v", u.All())
		}
		e := u.All()[0]
		in, out, billed := e.Billed()
		if !billed || out != 12 || in != e.Input() || e.Model != "m" || e.Credential != "secret" || e.Stream != stream || e.Dialect != d || e.Bytes != int64(len(body)) {
			t.Errorf("entry %+v", e)
		}
	})
}

func TestErrorsAreThoseOfTheDialect(t *testing.T) {
	each(t, func(t *testing.T, d Dialect, stream bool) {
		for _, status := range []int{400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529} {
			u := start(t, Always(Fail(status, "Retry-After", "7")), Options{})
			resp, body, err := ask(t, u, d, stream)
			if err != nil {
				t.Fatal(err)
			}
			h := Read(d, stream, resp.StatusCode, resp.Header.Get("Content-Type"), body)
			if len(h.Broken) > 0 || !h.Failed || h.Error != "made to fail" || resp.StatusCode != status || resp.Header.Get("Retry-After") != "7" {
				t.Errorf("%d %+v", resp.StatusCode, h)
			}
		}
	})
}

func TestAnAnswerIsCutWhereTheScriptSays(t *testing.T) {
	for name, tc := range map[string]struct {
		script Script
		pieces int  // that arrive
		head   bool // arrives
		fails  bool // reading it
	}{
		"reset before the head":     {Hangup(RST), 0, false, true},
		"closed before the head":    {Hangup(FIN), 0, false, true},
		"reset after the head":      {Script{Cut: &Cut{Where: AfterHead, How: RST}}, 0, true, true},
		"closed in the preamble":    {CutAfter(0, FIN), 0, true, true},
		"closed after four pieces":  {CutAfter(4, FIN), 4, true, true},
		"ended after four pieces":   {CutAfter(4, End), 4, true, false},
		"ended after four of four":  {Script{Pieces: 4, Cut: &Cut{Where: AfterPieces, N: 4, How: End}}, 4, true, false},
		"a wrong chunk":             {Script{BadChunk: true}, 0, true, true},
		"a length that is too long": {Script{Lie: 7, Stream: new(bool)}, 0, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			for d := range paths {
				u := start(t, Always(tc.script), Options{})
				resp, body, err := ask(t, u, d, true)
				if (err != nil) != tc.fails || (resp != nil) != tc.head && !tc.fails {
					t.Fatalf("%s: %v %v", d, resp, err)
				}
				if resp == nil || tc.script.Stream != nil {
					continue
				}
				h := Read(d, true, resp.StatusCode, resp.Header.Get("Content-Type"), body)
				if h.Complete || h.Pieces() != tc.pieces && !tc.script.BadChunk {
					t.Errorf("%s: %+v", d, h)
				}
				if !u.Wait(patience, func(j []Entry) bool {
					return len(j) == 1 && j[0].Outcome == Broken && (j[0].Pieces == tc.pieces || tc.script.BadChunk)
				}) {
					t.Errorf("%s: journal %+v", d, u.All())
				}
			}
		})
	}
}

func TestAnErrorEventReplacesTheRest(t *testing.T) {
	for d := range paths {
		u := start(t, Always(Script{Pieces: 9, ErrorAfter: 5, Message: "enough"}), Options{})
		resp, body, err := ask(t, u, d, true)
		if err != nil {
			t.Fatal(err)
		}
		h := Read(d, true, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		if h.Complete || !h.Failed || h.Error != "enough" || h.Pieces() != 4 {
			t.Errorf("%s: %+v\n%s", d, h, body)
		}
	}
}

func TestADepartureIsNoticed(t *testing.T) {
	u := start(t, Always(CutAfter(1, Stall)), Options{})
	c, err := DialConn(u.Addr(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(Post("/v1/messages", `{"stream":true}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Response(patience); err != nil {
		t.Fatal(err)
	}
	c.Reset()
	if !u.Wait(patience, func(j []Entry) bool { return j[0].Outcome == Gone }) {
		t.Errorf("journal %+v", u.All())
	}
}

func TestTheSameSeedChoosesTheSameScripts(t *testing.T) {
	choose := func() string {
		c, out := Random(42, 0.3, Script{Name: "good"}, Fail(500), Hangup(RST)), ""
		for range 200 {
			out += c(&Request{}).Name + " "
		}
		return out
	}
	first := choose()
	if first != choose() || strings.Count(first, "good") < 100 || strings.Count(first, "good") > 180 || !strings.Contains(first, "hangup") {
		t.Errorf("chosen: %s", first)
	}
}

func TestAStoppedUpstreamRefusesAndComesBack(t *testing.T) {
	u := start(t, Always(Script{}), Options{})
	u.Stop()
	if _, _, err := ask(t, u, Chat, false); err == nil {
		t.Fatal("there was an answer")
	}
	if err := u.Start(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ask(t, u, Chat, false); err != nil {
		t.Fatal(err)
	}
	accepted, _ := u.Connections()
	if accepted != 1 || u.Len() != 1 {
		t.Errorf("%d connections, %d requests", accepted, u.Len())
	}
}

func TestFlawsOfTLSAreSeenByClients(t *testing.T) {
	a, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.PEM())
	for flaw, want := range map[Flaw]string{Flawless: "", Expired: "expired", WrongHost: "IP SANs", SelfSigned: "unknown authority", OldTLS: "protocol version"} {
		config, err := a.TLS(flaw)
		if err != nil {
			t.Fatal(err)
		}
		u := start(t, Always(Script{}), Options{TLS: config, Record: true})
		c, err := tls.Dial("tcp", u.Addr(), &tls.Config{RootCAs: pool})
		if err == nil {
			c.Close()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("flaw %d: %v", flaw, err)
		}
		if u.Wire() == "" || u.Len() != 0 {
			t.Errorf("flaw %d: %d bytes on the wire, %d requests", flaw, len(u.Wire()), u.Len())
		}
	}
}

func TestFramesFailAsTheyAreTold(t *testing.T) {
	a, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	config, err := a.TLS(Flawless)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.PEM())
	for fault, good := range map[FrameFault]bool{NoFault: true, GoAway: false, Refused: false, ResetBefore: false, ResetMiddle: false} {
		f, err := NewFrames(config, `{"x":1}`, false, func(int) FrameFault { return fault })
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL(), struct{ io.Reader }{strings.NewReader(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if good && (string(body) != `{"x":1}` || resp.ProtoMajor != 2) {
				t.Errorf("%q over %s", body, resp.Proto)
			}
		}
		if (err == nil) != good || f.Seen() < 1 {
			t.Errorf("fault %d: %v, %d requests", fault, err, f.Seen())
		}
		tr.CloseIdleConnections()
		f.Close()
	}
}

func TestReadFindsWhatIsWrong(t *testing.T) {
	r := reply{dialect: Messages, model: "m", pieces: 3}
	before, pieces, after := r.stream()
	stream := func(parts ...[]string) string {
		var b bytes.Buffer
		for _, p := range parts {
			b.WriteString(strings.Join(p, ""))
		}
		return b.String()
	}
	for name, body := range map[string]string{
		"a piece twice":     stream(before, pieces, pieces, after),
		"no start":          stream(pieces, after),
		"two starts":        stream(before, before, pieces, after),
		"after the end":     stream(before, pieces, after, after),
		"half an event":     stream(before, pieces)[:400],
		"another dialect":   "data: [DONE]\n\n",
		"an end in a block": stream(before, pieces, after[2:]),
	} {
		if h := Read(Messages, true, 200, "text/event-stream", []byte(body)); len(h.Broken) == 0 {
			t.Errorf("%s: %+v", name, h)
		}
	}
	for name, body := range map[string]string{"HTML": "<html>", "another dialect": ErrorBody(Gemini, 500, "x"), "nothing": ""} {
		if h := Read(Messages, false, 502, "application/json", []byte(body)); len(h.Broken) == 0 {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

func TestAScheduleFailsBetweenTwoMoments(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	c := Down(time.Second, 3*time.Second, Fail(500), Script{Name: "good"})
	if s := c(&Request{Time: start}); s.Status != 0 { // the clock starts
		t.Errorf("at first: %+v", s)
	}
	for at, status := range map[time.Duration]int{999 * time.Millisecond: 0, time.Second: 500, 2999 * time.Millisecond: 500, 3 * time.Second: 0} {
		if s := c(&Request{Time: start.Add(at)}); s.Status != status {
			t.Errorf("at %v: %+v", at, s)
		}
	}
}

func TestASwitchChangesWhatIsChosen(t *testing.T) {
	s := NewSwitch(Always(Fail(500)))
	if got := s.Choose(&Request{}).Status; got != 500 {
		t.Error(got)
	}
	s.Set(InTurn(Fail(502), Fail(503)))
	for n, want := range map[int]int{1: 502, 2: 503, 9: 503} {
		if got := s.Choose(&Request{N: n}).Status; got != want {
			t.Errorf("request %d: %d", n, got)
		}
	}
}

func TestRapidResetOpensStreams(t *testing.T) {
	a, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	config, err := a.TLS(Flawless)
	if err != nil {
		t.Fatal(err)
	}
	u := start(t, Always(Script{}), Options{TLS: config, HTTP2: true})
	if n, err := RapidReset(u.Addr(), a.PEM(), 100, nil); n != 100 || err != nil {
		t.Errorf("%d streams, %v", n, err)
	}
	stop := make(chan struct{})
	close(stop)
	if n, err := RapidReset(u.Addr(), a.PEM(), 100, stop); n != 0 || err != nil {
		t.Errorf("%d streams after the end, %v", n, err)
	}
}

func TestSplitsAndBurstsChangeNothing(t *testing.T) {
	var whole []byte
	for name, s := range map[string]Script{"": {}, "bytes": {Split: 1}, "halves": {SplitAt: 100, Gap: time.Millisecond}, "burst": {Burst: true}, "burst in sevens": {Burst: true, Split: 7}} {
		s.Pieces = 4
		_, body, err := ask(t, start(t, Always(s), Options{}), Messages, true)
		if err != nil {
			t.Fatal(err)
		}
		if whole == nil {
			whole = body
		}
		if !bytes.Equal(whole, body) {
			t.Errorf("%s: %q", name, body)
		}
	}
}
