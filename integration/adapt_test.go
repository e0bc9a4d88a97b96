package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-llm/llmgateway"
	"github.com/caddy-llm/llmgateway/dialects/dialecttest"
	"github.com/caddy-llm/llmgateway/providers"
	"github.com/caddy-llm/llmgateway/providers/compatible"
)

// A golden holds an input, a line of dashes, and what comes of it. There are three folders of them:
//
//   - options: a Caddyfile and the JSON it is adapted to;
//   - mistakes: a Caddyfile and how the parser's error ends, which includes file and line;
//   - loading: a Caddyfile, or the JSON of the handler alone for what no Caddyfile can say, and "ok" or how the error of
//     loading it ends. Lines "# env NAME=value" at its top are set in the environment.
//
// `go test ./integration -run Goldens -update` rewrites what stands below the dashes.
var adaptUpdate = dialecttest.Update

const (
	adaptDashes = "\n----------\n"
	adaptOK     = "ok"
	adaptError  = "error: "
)

func TestGoldensOfOptions(t *testing.T) {
	adaptGoldens(t, "options", func(t *testing.T, input string) string {
		config, err := adaptCaddyfile(input)
		if err != nil {
			t.Fatal(err)
		}
		adaptCheckFormat(t, input)
		var out bytes.Buffer
		if err := json.Indent(&out, config, "", "\t"); err != nil {
			t.Fatal(err)
		}
		return out.String()
	})
}

func TestGoldensOfMistakes(t *testing.T) {
	adaptGoldens(t, "mistakes", func(t *testing.T, input string) string {
		_, err := adaptCaddyfile(input)
		if err == nil {
			t.Fatal("the Caddyfile was accepted")
		}
		if !adaptPosition.MatchString(err.Error()) {
			t.Errorf("the error does not end in file and line: %v", err)
		}
		return adaptError + adaptOwn(err, "parsing caddyfile tokens for 'llm_gateway': ")
	})
}

func TestGoldensOfLoading(t *testing.T) {
	adaptGoldens(t, "loading", func(t *testing.T, input string) string {
		adaptEnvironment(t)
		for _, m := range adaptEnvLine.FindAllStringSubmatch(input, -1) {
			t.Setenv(m[1], m[2])
		}
		var config []byte
		if handler := adaptEnvLine.ReplaceAllString(input, ""); json.Valid([]byte(handler)) {
			config = adaptHandler([]byte(handler))
		} else {
			var err error
			if config, err = adaptCaddyfile(input); err != nil {
				t.Fatal(err)
			}
			adaptCheckFormat(t, input)
		}
		if err := adaptValidate(config); err != nil {
			return adaptError + adaptOwn(err, "http.handlers.llm_gateway: ")
		}
		return adaptOK
	})
}

var (
	adaptPosition = regexp.MustCompile(`at Caddyfile:\d+( import chain \[.*\])?$`)
	adaptEnvLine  = regexp.MustCompile(`(?m)^# env (\w+)=(.*)$`)
)

// adaptGoldens runs every golden of a folder through run.
func adaptGoldens(t *testing.T, folder string, run func(t *testing.T, input string) string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "adapt", folder, "*.caddyfiletest"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens in %s: %v", folder, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".caddyfiletest")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(data), "\r\n", "\n")
			input, want, found := strings.Cut(text, adaptDashes)
			if !found && !*adaptUpdate {
				t.Fatalf("%s has no line of dashes", file)
			}
			input = strings.TrimSpace(input) + "\n"
			want = strings.TrimSpace(want)
			got := strings.ReplaceAll(run(t, input), "fault_memory, ", "") // which only tests have
			if *adaptUpdate {
				if err := os.WriteFile(file, []byte(strings.TrimSpace(input)+adaptDashes+got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("%s:\n got %s\nwant %s", file, got, want)
			}
		})
	}
}

// adaptCaddyfile turns a Caddyfile into JSON.
func adaptCaddyfile(input string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// adaptHandler makes a whole configuration of the gateway's own.
func adaptHandler(handler []byte) []byte {
	raw := append([]byte(`{"handler":"llm_gateway",`), bytes.TrimPrefix(bytes.TrimSpace(handler), []byte("{"))...)
	return []byte(`{"apps":{"http":{"servers":{"srv0":{"listen":[":8080"],"routes":[{"handle":[` + string(raw) + `]}]}}}}}`)
}

// adaptValidate does what `caddy validate` does: it sets everything up and starts nothing.
func adaptValidate(config []byte) error {
	var c *caddy.Config
	if err := caddy.StrictUnmarshalJSON(config, &c); err != nil {
		return err
	}
	return caddy.Validate(c)
}

// adaptOwn cuts off what Caddy puts before an error of the gateway.
func adaptOwn(err error, caddys string) string {
	text := err.Error()
	if i := strings.LastIndex(text, caddys); i >= 0 {
		return text[i+len(caddys):]
	}
	return text
}

// adaptCheckFormat reports a Caddyfile that `caddy fmt` would change.
func adaptCheckFormat(t *testing.T, input string) {
	t.Helper()
	if formatted := string(caddyfile.Format([]byte(input))); formatted != input {
		t.Errorf("not as caddy fmt writes it; want\n%s", formatted)
	}
}

// adaptVendorKeys are the environment variables in which providers look for their keys.
func adaptVendorKeys(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, preset := range compatible.PresetNames() {
		info, _ := compatible.Preset(preset)
		names = append(names, info.KeyEnv...)
	}
	for _, module := range caddy.GetModules("http.llm_gateway.providers") {
		if d, ok := module.New().(providers.Defaulter); ok {
			names = append(names, d.Defaults().KeyEnv...)
		}
	}
	if len(names) < 30 {
		t.Fatalf("only %d environment variables", len(names))
	}
	return names
}

// adaptEnvironment hides the keys of whoever runs the tests.
func adaptEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range adaptVendorKeys(t) {
		t.Setenv(name, "")
	}
}
