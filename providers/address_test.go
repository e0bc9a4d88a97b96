package providers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestJoinedElementsStayOneSegment(t *testing.T) {
	for _, tc := range []struct {
		base  string
		elems []string
		want  string
	}{
		{"https://h", []string{"a"}, "https://h/a"},
		{"https://h/", []string{"a", "b"}, "https://h/a/b"},
		{"https://h/x/?q=1", []string{"a b"}, "https://h/x/a%20b?q=1"},
		{"https://h/x%2Fy", []string{"a"}, "https://h/x%2Fy/a"},
		{"https://h/x", []string{"a/b", "c"}, "https://h/x/a%2Fb/c"},
		{"https://h", []string{"..", "."}, "https://h/%2E%2E/%2E"},
		{"https://h", []string{""}, "https://h/"},
		{"https://h", []string{"é:%"}, "https://h/%C3%A9%3A%25"},
	} {
		base, err := url.Parse(tc.base)
		if err != nil {
			t.Fatal(err)
		}
		if got := JoinPath(base, tc.elems...).String(); got != tc.want {
			t.Errorf("%s + %q = %s, want %s", tc.base, tc.elems, got, tc.want)
		}
	}
}

func FuzzJoinPath(f *testing.F) {
	f.Add("/v1", "..")
	f.Add("/a%2Fb/", "x/../y?z#w")
	f.Add("/%2F", "/")
	f.Fuzz(func(t *testing.T, path, elem string) {
		base, err := url.Parse("https://h" + path)
		if err != nil || base.Host != "h" || elem == "" {
			t.Skip()
		}
		joined := JoinPath(base, "models", elem)
		again, err := url.Parse(joined.String())
		if err != nil {
			t.Fatal(err)
		}
		segments := strings.Split(again.EscapedPath(), "/")
		last, err := url.PathUnescape(segments[len(segments)-1])
		if err != nil || last != elem || again.Host != "h" || again.Fragment != "" || again.RawQuery != base.RawQuery {
			t.Fatalf("%q + %q = %q", path, elem, joined)
		}
		if segments[len(segments)-2] != "models" || again.Path != joined.Path {
			t.Fatalf("%q + %q = %q", path, elem, joined)
		}
	})
}

func TestAServerSeesTheModelAsOneSegment(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.URL.EscapedPath() }))
	defer server.Close()
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u, err := Address(&Call{Dialect: Gemini, Model: "../../x?y", BaseURL: base})
	if err != nil {
		t.Fatal(err)
	}
	r := NewRequest(t.Context(), &Call{Body: NewBody(nil)}, u, "", "")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if want := "/v1beta/models/..%2F..%2Fx%3Fy:generateContent"; got != want {
		t.Errorf("the server saw %s, want %s", got, want)
	}
}

func TestNearestNames(t *testing.T) {
	names := []string{"groq", "vllm", "openai", "mistral", "xai"}
	for in, want := range map[string]string{
		"grok": "groq", "vlm": "vllm", "opneai": "openai", "mistrall": "mistral", "x": "", "bedrock": "", "": "", "groq": "groq",
	} {
		if got := Nearest(in, names); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
