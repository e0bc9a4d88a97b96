package dialecttest

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Exchange is a recorded request and the response to it.
type Exchange struct {
	Name      string
	Streaming bool
	URL       string // that was asked
	Request   []byte // nil unless it was recorded and is a JSON object
	Status    int
	Body      string // of the response
}

// Recorded loads the exchanges of an endpoint, such as "openai.chat", from the folder that the environment variable
// LLMGATEWAY_RECORDED names. It skips the test when there is no such folder.
func Recorded(t *testing.T, endpoint string) []Exchange {
	t.Helper()
	root := os.Getenv("LLMGATEWAY_RECORDED")
	if root == "" {
		t.Skip("LLMGATEWAY_RECORDED does not name a folder of recorded traffic")
	}
	files, err := filepath.Glob(filepath.Join(root, endpoint, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings of %s: %v", endpoint, err)
	}
	all := make([]Exchange, len(files))
	for i, file := range files {
		all[i] = load(t, file)
	}
	return all
}

// EachRecorded runs a test for every recorded exchange of an endpoint.
func EachRecorded(t *testing.T, endpoint string, f func(t *testing.T, x *Exchange)) {
	t.Helper()
	for _, x := range Recorded(t, endpoint) {
		t.Run(x.Name, func(t *testing.T) { f(t, &x) })
	}
}

func load(t *testing.T, file string) Exchange {
	t.Helper()
	var doc struct {
		Streaming bool
		Request   struct {
			URL  string
			Body json.RawMessage
		}
		Response struct {
			Status         int
			Encoding, Body string
		}
	}
	raw, err := os.ReadFile(file) //nolint:gosec // the folder is named by whoever runs the tests
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	x := Exchange{
		Name:      strings.TrimSuffix(filepath.Base(file), ".json"),
		Streaming: doc.Streaming,
		URL:       doc.Request.URL,
		Status:    doc.Response.Status,
		Body:      doc.Response.Body,
	}
	if b := doc.Request.Body; len(b) > 0 && b[0] == '{' {
		x.Request = b
	}
	if doc.Response.Encoding == "base64" {
		b, err := base64.StdEncoding.DecodeString(x.Body)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		x.Body = string(b)
	}
	return x
}
