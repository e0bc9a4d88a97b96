package jsonedit

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestRecordedBodiesAreScanned reads recorded exchanges, one JSON file each, from the folder that LLMGATEWAY_RECORDED
// names.
func TestRecordedBodiesAreScanned(t *testing.T) {
	dir := os.Getenv("LLMGATEWAY_RECORDED")
	if dir == "" {
		t.Skip("LLMGATEWAY_RECORDED is not set to a folder of recorded exchanges")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded exchanges in %s: %v", dir, err)
	}
	rnd := rand.New(rand.NewPCG(9, 10))
	requests := 0
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, doc)
		var exchange struct {
			Request  struct{ Body json.RawMessage }
			Response struct{ Body string }
		}
		if json.Unmarshal(doc, &exchange) != nil {
			continue
		}
		agree(t, []byte(exchange.Response.Body))
		if body := exchange.Request.Body; len(body) > 0 && body[0] == '{' {
			requests++
			agree(t, body)
			var o Object
			if err := Scan(body, knownForTest, Limits{}, &o); err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
			}
			checkSplice(t, body, rnd)
		}
	}
	t.Logf("%d requests", requests)
	if requests == 0 {
		t.Error("none of the exchanges has a request body")
	}
}
