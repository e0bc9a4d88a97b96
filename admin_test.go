package llmgateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/caddyserver/caddy/v2"
)

func TestTheAdminEndpointShowsEveryTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, withProviderConfig("adm", `{}`, func(c *ProviderConfig) { c.APIKeys = []string{"sk-canary-1", "sk-canary-2"} },
			respond(429, rateLimited, "Retry-After", "30"), respond(200, chatAnswer)), withModel("m", "adm/x"))
		if w := g.post(chatPath, ask("m")); w.Code != 200 {
			t.Fatal(w.Body)
		}
		routes := adminAPI{}.Routes()
		if routes[0].Pattern != "/llm_gateway/targets" {
			t.Fatalf("%+v", routes)
		}
		w := httptest.NewRecorder()
		if err := routes[0].Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/llm_gateway/targets", nil)); err != nil {
			t.Fatal(err)
		}
		var got []struct {
			Upstream, Model, Status string
			Healthy                 bool
			RetryAfter              float64 `json:"retry_after_seconds"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, s := range got {
			lines = append(lines, s.Upstream+" "+s.Model+" "+s.Status)
			if s.Healthy != (s.Status == "healthy") || (s.Status == "cooldown") != (s.RetryAfter == 30) {
				t.Errorf("%+v", s)
			}
		}
		if want := "adm  healthy|adm x cooldown|adm#2  healthy|adm#2 x healthy"; strings.Join(lines, "|") != want {
			t.Errorf("%q, want %q", strings.Join(lines, "|"), want)
		}
		if strings.Contains(w.Body.String(), "canary") || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
	})
}

func TestTheAdminEndpointOnlyAnswersGET(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		w := httptest.NewRecorder()
		err := adminAPI{}.targets(w, httptest.NewRequest(method, "/llm_gateway/targets", nil))
		var api caddy.APIError
		if !errors.As(err, &api) || api.HTTPStatus != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodGet {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func TestWithoutTargetsTheListIsEmptyAndNotNull(t *testing.T) {
	w := httptest.NewRecorder()
	if err := (adminAPI{}).targets(w, httptest.NewRequest(http.MethodGet, "/llm_gateway/targets", nil)); err != nil || strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("%v %s", err, w.Body)
	}
}
