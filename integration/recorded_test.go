package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/providers"
)

// gwRecording is one recorded exchange with a provider.
type gwRecording struct {
	ID          string
	Model       string
	Streaming   bool
	AskedStream bool `json:"asked_stream"`
	Request     *struct {
		Path, Query string
		Body        json.RawMessage
	}
	Response struct {
		Status   int
		Headers  map[string]string
		Encoding string
		Body     string
	}

	client *gwClient
	index  int
	bytes  []byte // the response body
}

// gwRecordings loads the recordings of a dialect's endpoint. They are not part of the repository.
func gwRecordings(t *testing.T, dir, endpoint string, d *gwClient) []*gwRecording {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, endpoint, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings of %s in %s (%v)", endpoint, dir, err)
	}
	var out []*gwRecording
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		r := &gwRecording{client: d, index: len(out)}
		if err := json.Unmarshal(raw, r); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		r.bytes = []byte(r.Response.Body)
		if r.Response.Encoding == "base64" {
			if r.bytes, err = base64.StdEncoding.DecodeString(r.Response.Body); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
		}
		out = append(out, r)
	}
	return out
}

// gwReviewed are the exchanges that the gateway rightly treats differently, each with the reason.
var gwReviewed = map[string]string{
	"anthropic-messages-9b6d6725a2": "the fixture holds a message_start and nothing else: a truncated stream, refused with a 502",
}

// provider is the name of the provider that has this exchange and nothing else: so none of them affects another's health.
func (r *gwRecording) provider() string { return fmt.Sprintf("x%d", r.index) }

// stream reports whether the client asks for a stream.
func (r *gwRecording) stream() bool {
	return r.AskedStream || r.Streaming
}

// model is the name of the model as the provider was asked for it.
func (r *gwRecording) model() string {
	if r.client == gwGemini && r.Request != nil {
		if i := strings.LastIndex(r.Request.Path, "/models/"); i >= 0 {
			name, _, _ := strings.Cut(r.Request.Path[i+len("/models/"):], ":")
			return name
		}
	}
	if r.Request != nil {
		if m := gjson.GetBytes(r.Request.Body, "model"); m.Type == gjson.String {
			return m.Str
		}
	}
	if r.Model != "" {
		return r.Model
	}
	return "m"
}

// sent is the body as the client sends it, and as the provider has to get it.
func (r *gwRecording) sent(t *testing.T) (client, provider string) {
	t.Helper()
	original := r.client.request(r.model(), r.stream(), "x")
	if r.Request != nil && len(r.Request.Body) > 0 && string(r.Request.Body) != "null" {
		original = string(r.Request.Body)
	}
	if r.client == gwGemini {
		return original, original
	}
	d := json.NewDecoder(strings.NewReader(original))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		t.Fatalf("%s: %v", r.ID, err)
	}
	write := func() string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(doc); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(b.String())
	}
	doc["model"] = r.provider() + "/" + r.model()
	client = write()
	doc["model"] = r.model()
	if r.client == gwChat && doc["stream"] == true {
		options, ok := doc["stream_options"].(map[string]any)
		if !ok {
			options = map[string]any{}
		}
		options["include_usage"] = true
		doc["stream_options"] = options
	}
	return client, write()
}

// hidesUsage reports whether the client of a stream is not to see the usage chunk.
func (r *gwRecording) hidesUsage(body string) bool {
	return r.client == gwChat && r.stream() && !gjson.Get(body, "stream_options.include_usage").Bool()
}

// want is what the client has to get: the recorded bytes, but for usage chunks that it did not ask for.
func (r *gwRecording) want(hideUsage bool) string {
	if !hideUsage || !r.Streaming {
		return string(r.bytes)
	}
	var out strings.Builder
	for _, frame := range strings.SplitAfter(string(r.bytes), "\n\n") {
		data, _ := strings.CutPrefix(strings.TrimSpace(frame), "data: ")
		choices := gjson.Get(data, "choices")
		if choices.IsArray() && len(choices.Array()) == 0 && gjson.Get(data, "usage").IsObject() {
			continue
		}
		out.WriteString(frame)
	}
	return out.String()
}

// class is what the gateway makes of an exchange that failed at the provider.
func (r *gwRecording) class() providers.Class {
	if r.Response.Status < 400 {
		return providers.ClassNone
	}
	return providers.Classify(providers.Dialect(r.client.name), r.Response.Status, nil, r.bytes).Class
}

// gwReplay is a provider that answers with recordings: /<index>/… gets the one of that number.
type gwReplay struct {
	recordings []*gwRecording
	piece      int // bytes written at a time; 0: all
	mu         sync.Mutex
	bodies     map[int]string
	uris       map[int]string
}

func (p *gwReplay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var i int
	if _, err := fmt.Sscanf(r.URL.Path, "/%d/", &i); err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.bodies[i], p.uris[i] = string(body), r.RequestURI
	p.mu.Unlock()
	rec := p.recordings[i]
	for name, value := range rec.Response.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(rec.Response.Status)
	rest, piece := rec.bytes, p.piece
	if piece == 0 {
		piece = max(len(rest), 1)
	}
	rc := http.NewResponseController(w)
	for len(rest) > 0 {
		n := min(piece, len(rest))
		_, _ = w.Write(rest[:n])
		_ = rc.Flush()
		rest = rest[n:]
	}
}

func TestRecordedExchangesPassThroughUnchanged(t *testing.T) {
	dir := corpusFolder(t)
	table := &corpusTable{}
	for _, e := range []struct {
		endpoint string
		client   *gwClient
	}{
		{"openai.chat", gwChat}, {"openai.responses", gwResponses}, {"anthropic.messages", gwMessages}, {"gemini.generate", gwGemini},
	} {
		recordings := gwRecordings(t, dir, e.endpoint, e.client)
		if len(recordings) < 100 {
			t.Errorf("only %d recordings of %s", len(recordings), e.endpoint)
		}
		recordings = gwSample(recordings)
		for _, piece := range []int{0, 7} {
			client := "itself"
			if piece > 0 {
				client = fmt.Sprintf("itself, by %d bytes", piece)
			}
			tell := func(r *gwRecording, passed bool, note string) {
				if note != "" {
					table.note(note)
				}
				table.count(e.endpoint, client, r.stream(), passed)
			}
			t.Run(e.endpoint+" to "+client, func(t *testing.T) { gwReplayAll(t, e.client, recordings, piece, tell) })
		}
	}
	table.print(t)
}

// gwSample takes one of every corpusEvery recordings.
func gwSample(all []*gwRecording) (out []*gwRecording) {
	for i, r := range all {
		if i%corpusEvery == 0 {
			r.index = len(out)
			out = append(out, r)
		}
	}
	return out
}

// gwReplayAll sends all recordings through a gateway, and tells of each whether it passed, and what is special about it.
func gwReplayAll(t *testing.T, d *gwClient, recordings []*gwRecording, piece int, tell func(r *gwRecording, passed bool, note string)) {
	replay := &gwReplay{recordings: recordings, piece: piece, bodies: map[int]string{}, uris: map[int]string{}}
	server := httptest.NewServer(replay)
	defer server.Close()
	var options strings.Builder
	options.WriteString("lb_retries 0\n")
	for _, r := range recordings {
		base := fmt.Sprintf("%s/%d", server.URL, r.index)
		if d == gwChat || d == gwResponses {
			base += "/v1"
		}
		fmt.Fprintf(&options, "provider %s %s key %s\n", r.provider(), d.kind, base)
	}
	c := gwStart(t, gwSite(options.String()+"metrics off\nusage_log off\n"))
	work := make(chan *gwRecording)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for r := range work {
				problem, note := r.check(t, c, replay), ""
				if class := r.class(); class == providers.ClassAuth || class == providers.ClassBilling {
					note = "a provider's refusal of the gateway's credential becomes a 502"
				}
				if body, _ := r.sent(t); r.hidesUsage(body) && r.want(true) != r.want(false) {
					note = "the client of a stream did not ask for the usage chunk, and does not get it"
				}
				reason, reviewed := gwReviewed[r.ID]
				switch {
				case problem == "" && reviewed:
					t.Errorf("%s is listed as an exception (%s), but passes", r.ID, reason)
				case reviewed:
					note = reason
				case problem != "":
					t.Errorf("%s: %s", r.ID, problem)
				}
				tell(r, problem == "", note)
			}
		})
	}
	for _, r := range recordings {
		work <- r
	}
	close(work)
	workers.Wait()
}

// check sends an exchange through the gateway and says what is wrong with it.
func (r *gwRecording) check(t *testing.T, c *gwCaddy, replay *gwReplay) string {
	body, forwarded := r.sent(t)
	path := r.client.at(r.provider()+"--"+r.model(), r.stream())
	resp, err := c.try(t.Context(), http.MethodPost, c.url(path), body)
	if err != nil {
		return err.Error()
	}
	got := gwReadAll(resp)
	replay.mu.Lock()
	sent, asked := replay.bodies[r.index]
	uri := replay.uris[r.index]
	replay.mu.Unlock()
	if !asked {
		return fmt.Sprintf("not passed on: %d %s", resp.StatusCode, gwClip(got, 300))
	}
	if gwCanonical(t, sent) != gwCanonical(t, forwarded) {
		return fmt.Sprintf("the request is another: %s\nwant %s", gwClip(sent, 600), gwClip(forwarded, 600))
	}
	if want := fmt.Sprintf("/%d", r.index) + r.client.at(r.model(), r.stream()); uri != want {
		return fmt.Sprintf("sent to %s, not %s", uri, want)
	}
	switch r.class() {
	case providers.ClassAuth, providers.ClassBilling:
		if resp.StatusCode != http.StatusBadGateway || !strings.Contains(got, "credential") {
			return fmt.Sprintf("a refused credential is %d %s", resp.StatusCode, gwClip(got, 300))
		}
		return ""
	}
	if resp.StatusCode != r.Response.Status {
		return fmt.Sprintf("status %d, not %d: %s", resp.StatusCode, r.Response.Status, gwClip(got, 300))
	}
	if ct := resp.Header.Get("Content-Type"); ct != r.Response.Headers["content-type"] {
		return fmt.Sprintf("content type %q, not %q", ct, r.Response.Headers["content-type"])
	}
	if want := r.want(r.hidesUsage(body)); got != want {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		return fmt.Sprintf("the body differs at %d of %d: %q, not %q", at, len(want), gwClip(got[at:], 300), gwClip(want[at:], 300))
	}
	return ""
}
