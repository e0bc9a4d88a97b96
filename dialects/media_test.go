package dialects

import (
	"testing"

	"github.com/caddy-llm/llmgateway/dialects/conversation"
)

func TestMediaBecomeURLs(t *testing.T) {
	for _, c := range []struct {
		media conversation.Media
		want  string
	}{
		{conversation.Media{URL: "https://x/a.png"}, `"https://x/a.png"`},
		{conversation.Media{MIME: "image/webp", Data: "AA=="}, `"data:image/webp;base64,AA=="`},
		{conversation.Media{Data: "/9j/AA=="}, `"data:image/jpeg;base64,/9j/AA=="`},
		{conversation.Media{Data: "AA=="}, `"data:application/octet-stream;base64,AA=="`},
	} {
		if got := string(AppendMediaURL(nil, &c.media)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestDocumentsHaveNames(t *testing.T) {
	for _, c := range []struct {
		media conversation.Media
		want  string
	}{
		{conversation.Media{Filename: "a.txt", Title: "T"}, "a.txt"},
		{conversation.Media{Title: "T"}, "T"},
		{conversation.Media{}, "document.pdf"},
		{conversation.Media{MIME: "text/csv"}, "document.csv"},
	} {
		if got := Filename(&c.media); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestOnlyPlainTextDocumentsHaveAText(t *testing.T) {
	for _, c := range []struct {
		media conversation.Media
		want  string
	}{
		{conversation.Media{Text: "a", Data: "Yg==", MIME: "text/plain"}, "a"},
		{conversation.Media{Data: "Yg==", MIME: "text/plain"}, "b"},
		{conversation.Media{Data: "Yg==", MIME: "application/pdf"}, ""},
		{conversation.Media{Data: "!", MIME: "text/plain"}, ""},
		{conversation.Media{URL: "https://x/a.txt", MIME: "text/plain"}, ""},
	} {
		if got := PlainText(&c.media); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.media, got, c.want)
		}
	}
}
