package sdk

import (
	"slices"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
)

// TestEveryClientListsThePublicModels has each client list the models with its own paging, and describe one of them.
func TestEveryClientListsThePublicModels(t *testing.T) {
	base := startGateway(t, "provider sim simulated\nmodel bird sim/heron-1\nmodel fish sim/carp-1\nmodels_only")
	want := []string{"bird", "fish"}
	check := func(t *testing.T, names []string, err error) {
		t.Helper()
		if slices.Sort(names); err != nil || !slices.Equal(names, want) {
			t.Errorf("got %q, %v; want %q", names, err, want)
		}
	}
	t.Run("openai", func(t *testing.T) {
		c := newOpenAI(base)
		var names []string
		pages := c.Models.ListAutoPaging(t.Context())
		for pages.Next() {
			names = append(names, pages.Current().ID)
		}
		check(t, names, pages.Err())
		if m, err := c.Models.Get(t.Context(), "bird"); err != nil || m.ID != "bird" || m.Created == 0 {
			t.Errorf("got %+v, %v", m, err)
		}
		_, err := c.Models.Get(t.Context(), "bird of paradise")
		if f, ok := openAIFailure(err); !ok || f.status != 404 || f.code != "model_not_found" {
			t.Errorf("for a model that there is not the client failed with %v", err)
		}
	})
	t.Run("anthropic", func(t *testing.T) {
		c := newAnthropic(base)
		var names []string
		pages := c.Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{})
		for pages.Next() {
			names = append(names, pages.Current().ID)
		}
		check(t, names, pages.Err())
		if m, err := c.Models.Get(t.Context(), "bird", anthropic.ModelGetParams{}); err != nil || m.ID != "bird" || m.DisplayName == "" || m.CreatedAt.IsZero() {
			t.Errorf("got %+v, %v", m, err)
		}
		_, err := c.Models.Get(t.Context(), "bird of paradise", anthropic.ModelGetParams{})
		if f, ok := anthropicFailure(err); !ok || f.status != 404 || f.kind != "not_found_error" {
			t.Errorf("for a model that there is not the client failed with %v", err)
		}
	})
	t.Run("genai", func(t *testing.T) {
		c := newGemini(t, base)
		var names []string
		for m, err := range c.Models.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, m.Name[len("models/"):])
		}
		check(t, names, nil)
		if m, err := c.Models.Get(t.Context(), "bird", nil); err != nil || m.Name != "models/bird" {
			t.Errorf("got %+v, %v", m, err)
		}
	})
}
