package integration

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/internal/wiretest"
)

// corpusExchange is one recorded exchange with a provider's endpoint.
type corpusExchange struct {
	ID, Provider, Endpoint, Model string
	Streaming                     bool
	AskedStream                   bool `json:"asked_stream"`
	Request                       *struct {
		Path string
		Body json.RawMessage
	}
	Response struct {
		Status   int
		Headers  map[string]string
		Encoding string
		Body     string
	}

	index int
	bytes []byte // the response body
}

// corpusFolder is the folder of recorded exchanges. They are not part of the repository, and a test that has none says
// so: by failing where everything has to run.
func corpusFolder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("LLMGATEWAY_RECORDED")
	if dir != "" {
		return dir
	}
	if os.Getenv("CI") == "true" && os.Getenv("LLMGATEWAY_WITHOUT_SHARED") != "1" {
		t.Fatal("LLMGATEWAY_RECORDED is not set: this test needs the folder with recorded exchanges")
	}
	t.Skip("LLMGATEWAY_RECORDED is not set to the folder with recorded exchanges")
	return ""
}

// corpusLoaded are the exchanges loaded so far, by endpoint. Nobody changes them.
var corpusLoaded = map[string][]*corpusExchange{}

// corpusLoad loads the exchanges of an endpoint.
func corpusLoad(t *testing.T, endpoint string) []*corpusExchange {
	t.Helper()
	if have := corpusLoaded[endpoint]; have != nil {
		return have
	}
	dir := corpusFolder(t)
	files, err := filepath.Glob(filepath.Join(dir, endpoint, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no exchanges of %s in %s (%v)", endpoint, dir, err)
	}
	var out []*corpusExchange
	for _, f := range files {
		doc, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		e := &corpusExchange{index: len(out)}
		if err := json.Unmarshal(doc, e); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		e.bytes = []byte(e.Response.Body)
		if e.Response.Encoding == "base64" {
			if e.bytes, err = base64.StdEncoding.DecodeString(e.Response.Body); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
		}
		out = append(out, e)
	}
	corpusLoaded[endpoint] = out
	return out
}

// stream reports whether the client asks for a stream.
func (e *corpusExchange) stream() bool { return e.AskedStream || e.Streaming }

// model is what the provider calls the model.
func (e *corpusExchange) model() string {
	if e.Request != nil {
		if m := gjson.GetBytes(e.Request.Body, "model").Str; m != "" {
			return m
		}
		for _, mark := range []string{"/models/", "/model/"} { // Gemini's and Bedrock's paths
			_, rest, ok := strings.Cut(e.Request.Path, mark)
			if !ok {
				continue
			}
			name, _, _ := strings.Cut(rest, ":generateContent")
			name, _, _ = strings.Cut(name, ":streamGenerateContent")
			name, _, _ = strings.Cut(name, "/")
			if name, err := url.PathUnescape(name); err == nil {
				return name
			}
		}
	}
	if e.Model != "" {
		return e.Model
	}
	return "m"
}

// ask is what the exchange asked for. Where only the response was recorded, a small question stands in.
func (e *corpusExchange) ask() *wiretest.Ask {
	if e.Request == nil || len(e.Request.Body) == 0 || string(e.Request.Body) == "null" {
		doc := gwChat.request("m", e.stream(), "Say hello.")
		return wiretest.ReadAsk(wiretest.Chat, e.stream(), []byte(doc))
	}
	return wiretest.ReadAsk(e.Endpoint, e.stream(), e.Request.Body)
}

// reply is what the exchange answered.
func (e *corpusExchange) reply() *wiretest.Reply {
	return wiretest.ReadReply(e.Endpoint, e.Response.Status, e.Response.Headers["content-type"], e.bytes)
}
