package sse

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRecordedStreamsSurviveAnySplit reads recorded provider streams, one JSON file per exchange, from the folder that
// LLMGATEWAY_RECORDED names.
func TestRecordedStreamsSurviveAnySplit(t *testing.T) {
	dir := os.Getenv("LLMGATEWAY_RECORDED")
	if dir == "" {
		t.Skip("LLMGATEWAY_RECORDED is not set to a folder of recorded exchanges")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded exchanges in %s: %v", dir, err)
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	streams, events := 0, 0
	for _, file := range files {
		stream := recordedStream(t, file)
		if stream == nil {
			continue
		}
		streams++
		whole, _ := readAll(strings.NewReader(string(stream)), 0)
		for _, ev := range whole {
			if ev.data != none && ev.data != "[DONE]" && ev.data != "" && !json.Valid([]byte(ev.data)) {
				t.Errorf("%s: data that is no JSON: %.200q", filepath.Base(file), ev.data)
			}
		}
		events += len(whole)
		want, _ := spoken(whole)
		for range 20 {
			at := make([]int, 1+rnd.IntN(20))
			for i := range at {
				at[i] = rnd.IntN(len(stream) + 1)
			}
			slices.Sort(at)
			checkSplit(t, stream, want, at...)
		}
	}
	t.Logf("%d streams, %d frames", streams, events)
	if streams == 0 {
		t.Error("none of the exchanges is a stream of events")
	}
}

// recordedStream returns the body of an exchange when that is an event stream.
func recordedStream(t *testing.T, file string) []byte {
	t.Helper()
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var exchange struct {
		Streaming bool
		Response  struct{ Encoding, Body string }
	}
	if err := json.Unmarshal(doc, &exchange); err != nil || !exchange.Streaming || exchange.Response.Encoding == "base64" {
		return nil
	}
	body := exchange.Response.Body
	if !strings.HasPrefix(body, "data:") && !strings.HasPrefix(body, "event:") && !strings.HasPrefix(body, ":") {
		return nil
	}
	return []byte(body)
}
