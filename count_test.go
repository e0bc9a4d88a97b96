package llmgateway

import (
	"bytes"
	"strings"
	"testing"
)

func TestMediaCountByThePieceNotByTheirBytes(t *testing.T) {
	prose := strings.Repeat("The quick brown fox. ", 500)
	blob := strings.Repeat("iVBORw0KGgo+/A==", 20_000) // 320 KB
	for name, c := range map[string]struct {
		body     string
		from, to int64
	}{
		"a short request":    {`{"a":"b"}`, 9, 9},
		"prose":              {`{"text":"` + prose + `"}`, int64(len(prose)) + 11, int64(len(prose)) + 11},
		"Chinese":            {`{"text":"` + strings.Repeat("你好", 5000) + `"}`, 30_000, 30_100},
		"an image":           {`{"data":"` + blob + `"}`, mediaSize, mediaSize + 3*mediaWindow},
		"prose and an image": {`{"text":"` + prose + `","data":"` + blob + `"}`, mediaSize + int64(len(prose)), mediaSize + int64(len(prose)) + 3*mediaWindow},
		"two images":         {`{"data":"` + blob + `","more":"` + prose + `","data":"` + blob + `"}`, 2*mediaSize + int64(len(prose)), 2*mediaSize + int64(len(prose)) + 5*mediaWindow},
	} {
		if n := textSize([]byte(c.body)); n < c.from || n > c.to {
			t.Errorf("%s: %d, want %d to %d", name, n, c.from, c.to)
		}
	}
}

func BenchmarkTextSize(b *testing.B) {
	body := bytes.Repeat([]byte(`{"role":"user","content":"The quick brown fox jumps over the lazy dog."},`), 1400)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		textSize(body)
	}
}
