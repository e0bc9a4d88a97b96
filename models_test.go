package llmgateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func TestModelsAreListedInTheShapeOfTheCaller(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(200, chatAnswer)), withModel("fast", "up/x"), withModel("p-*", "up/*"), withModel(`odd "name"/x`, "up/y"))
	for _, tc := range []struct {
		name, path, header string
		want               map[string]string
	}{
		{"OpenAI", "/v1/models", "", map[string]string{
			"object": "list", "data.#": "2", "data.0.id": "fast", "data.0.object": "model",
			"data.0.owned_by": "llm_gateway", "data.1.id": `odd "name"/x`, "data.0.created": "1735689600",
		}},
		{"Anthropic", "/v1/models", "Anthropic-Version", map[string]string{
			"data.#": "2", "data.0.type": "model", "data.0.id": "fast", "data.0.display_name": "fast",
			"has_more": "false", "first_id": "fast", "last_id": `odd "name"/x`,
		}},
		{"Gemini below another version", "/v1/models", "X-Goog-Api-Client", map[string]string{"models.#": "2", "models.0.name": "models/fast"}},
		{"Gemini", "/v1beta/models", "", map[string]string{"models.#": "2", "models.0.name": "models/fast", "models.1.name": `models/odd "name"--x`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRequest(http.MethodGet, tc.path, nil)
			if tc.header != "" {
				r.Header.Set(tc.header, "2023-06-01")
			}
			w := g.do(r)
			if w.Code != 200 || !json.Valid(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" || w.Header().Get(gatewayHeader) != "2" {
				t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			for path, want := range tc.want {
				if got := gjson.Get(w.Body.String(), path).String(); got != want {
					t.Errorf("%s is %q, want %q", path, got, want)
				}
			}
		})
	}
}

func TestOneModelIsDescribedInTheShapeOfTheCaller(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(200, chatAnswer)), withModel("fast", "up/x"))
	for _, tc := range []struct{ path, header, member, want string }{
		{"/v1/models/fast", "", "id", "fast"},
		{"/v1/models/up/other", "", "owned_by", "up"},
		{"/v1/models/up%2Fother", "", "id", "up/other"},
		{"/v1/models/fast", "Anthropic-Version", "display_name", "fast"},
		{"/v1beta/models/fast", "", "name", "models/fast"},
		{"/v1/models/fast", "X-Goog-Api-Key", "name", "models/fast"},
	} {
		r := newRequest(http.MethodGet, tc.path, nil)
		if tc.header != "" {
			r.Header.Set(tc.header, "2023-06-01")
		}
		if w := g.do(r); w.Code != 200 || gjson.Get(w.Body.String(), tc.member).Str != tc.want {
			t.Errorf("%s: %d %s", tc.path, w.Code, w.Body)
		}
	}
	if w := g.do(newRequest(http.MethodGet, "/v1/models/elsewhere/x", nil)); w.Code != 200 && w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
}

func TestAModelThatIsNotThereIsA404WithTheNearestNames(t *testing.T) {
	g := newGateway(t, append(threeProviders(), withModel("fast", "a/x"))...)
	w := g.do(newRequest(http.MethodGet, "/v1/models/fats", nil))
	if w.Code != 404 || gjson.Get(w.Body.String(), "error.code").Str != "model_not_found" || !strings.Contains(w.Body.String(), "fast") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestListingModelsIsFree(t *testing.T) {
	g := newGateway(t, withProvider("up", respond(200, chatAnswer)), withModel("fast", "up/x"))
	g.do(newRequest(http.MethodGet, "/v1/models", nil))
	g.do(newRequest(http.MethodGet, "/v1/models/fast", nil))
	if len(g.entries()) != 0 || g.up["up"].count() != 0 {
		t.Error("a listing was charged")
	}
}

func TestTheListWithoutPublicNames(t *testing.T) {
	g := newGateway(t, threeProviders()...)
	got := strings.Join(g.currentTable().publicNames(), " ")
	if !strings.Contains(got, "c/phi") || strings.Contains(got, "*") {
		t.Error(got)
	}
	only := newGateway(t, append(threeProviders(), withModel("p-*", "a/*"), with(func(h *Handler) { h.ModelsOnly = true }))...)
	if n := only.currentTable().publicNames(); len(n) != 0 {
		t.Errorf("%v", n)
	}
	w := only.do(newRequest(http.MethodGet, "/v1/models", nil))
	if w.Body.String() != `{"object":"list","data":[]}` {
		t.Error(w.Body)
	}
	r := newRequest(http.MethodGet, "/v1/models", nil)
	r.Header.Set("Anthropic-Version", "2023-06-01")
	if w := only.do(r); w.Body.String() != `{"data":[],"has_more":false,"first_id":null,"last_id":null}` {
		t.Error(w.Body)
	}
}
