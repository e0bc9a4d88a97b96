package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/tidwall/gjson"
)

// exampleOf is one Caddyfile that users are shown.
type exampleOf struct {
	name string // file, and line where it is a part of one
	text string
}

func TestExamplesAreRight(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "docs", "examples", "*.Caddyfile"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range append(files, filepath.Join("..", "Caddyfile.example")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		exampleCheck(t, exampleOf{file, string(text)})
	}
}

// TestCaddyfilesInTheDocsAreRight checks every block of the pages that is marked as a Caddyfile. A block may leave the
// site and the directive around it out.
func TestCaddyfilesInTheDocsAreRight(t *testing.T) {
	pages := examplePages(t)
	if len(pages) == 0 {
		t.Skip("there are no pages")
	}
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, example := range exampleBlocks(page, string(text)) {
			found++
			exampleCheck(t, example)
		}
	}
	if found == 0 {
		t.Errorf("no ```caddyfile block in %v", pages)
	}
}

// TestTheExampleShowsEveryOption compares the options that have a golden with Caddyfile.example.
func TestTheExampleShowsEveryOption(t *testing.T) {
	example, err := os.ReadFile(filepath.Join("..", "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	shown := exampleOptions(strings.ReplaceAll(string(example), "# prices", "prices"))
	files, err := filepath.Glob(filepath.Join("testdata", "adapt", "options", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		input, _, _ := strings.Cut(string(text), adaptDashes)
		for _, option := range exampleOptions(input) {
			if !slices.Contains(shown, option) {
				t.Errorf("%s is not in Caddyfile.example (%s)", option, file)
			}
		}
	}
}

// exampleOptions lists what the lines in the blocks of llm_gateway begin with, down to the blocks of providers and
// models; what is deeper belongs to Caddy's transport.
func exampleOptions(text string) []string {
	var options []string
	depth := 0
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		opens := fields[len(fields)-1] == "{"
		switch {
		case depth == 0:
			if opens && fields[0] == "llm_gateway" {
				depth = 1
			}
			continue
		case fields[0] == "}":
			depth--
			continue
		case depth < 3 && fields[0] != "import":
			options = append(options, fields[0])
		}
		if opens {
			depth++
		}
	}
	return options
}

// examplePages lists README.md and everything below docs.
func examplePages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join("..", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join("..", "docs"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// exampleBlocks cuts the Caddyfiles out of a page.
func exampleBlocks(page, text string) []exampleOf {
	var blocks []exampleOf
	var block *strings.Builder
	start := 0
	number := 0
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		number++
		switch fence := strings.TrimSpace(line); {
		case block == nil && (fence == "```caddyfile" || fence == "```Caddyfile" || fence == "```caddy"):
			block, start = new(strings.Builder), number
		case block != nil && fence == "```":
			blocks = append(blocks, exampleOf{page + ":" + strconv.Itoa(start), block.String()})
			block = nil
		case block != nil:
			block.WriteString(line)
		}
	}
	return blocks
}

var (
	exampleEnv    = regexp.MustCompile(`\{(?:env\.|\$)(\w+)`)
	exampleFile   = regexp.MustCompile(`\{file\.[^}]+\}`)
	examplePrices = regexp.MustCompile(`(?m)^(\s*prices) .*$`)
	exampleLog    = regexp.MustCompile(`(?m)^(\s*output file) \S+`)
	exampleCert   = regexp.MustCompile(`(?m)^\s*(tls_client_auth|tls_trusted_ca_certs) /.*\n`)
)

// exampleValue is what an environment variable of an example holds, as far as its name tells.
func exampleValue(name string) string {
	switch {
	case strings.Contains(name, "HASH"):
		return "$2a$04$" + strings.Repeat("a", 53)
	case strings.HasSuffix(name, "URL"):
		return "http://localhost:8000"
	case strings.HasSuffix(name, "PROVIDERS"):
		return "rehearsal" // a snippet
	}
	return "key-for-the-test"
}

// exampleCheck reports an example that is not as caddy fmt writes it, or that does not load where its environment
// variables and files exist.
func exampleCheck(t *testing.T, example exampleOf) {
	t.Helper()
	t.Run(strings.TrimPrefix(filepath.ToSlash(example.name), "../"), func(t *testing.T) {
		if formatted := string(caddyfile.Format([]byte(example.text))); formatted != example.text {
			t.Errorf("not as caddy fmt writes it; want\n%s", formatted)
		}
		folder := t.TempDir()
		for _, name := range append(adaptVendorKeys(t), exampleVariables(example.text)...) {
			t.Setenv(name, exampleValue(name))
		}
		t.Setenv("XDG_DATA_HOME", folder)
		secret, prices := filepath.Join(folder, "secret"), filepath.Join(folder, "prices.json")
		for file, content := range map[string]string{secret: "key-for-the-test", prices: `{"format": 1, "vendors": []}`} {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		text := exampleFile.ReplaceAllLiteralString(example.text, "{file."+secret+"}")
		text = examplePrices.ReplaceAllString(text, "${1} "+prices)
		text = exampleLog.ReplaceAllString(text, "${1} "+filepath.Join(folder, "log"))
		text = exampleCert.ReplaceAllString(text, "")
		config, err := exampleAdapt(text)
		if err != nil {
			t.Fatal(err)
		}
		if exampleShadowed(gjson.ParseBytes(config)) {
			t.Error("a handler for everything stands before the gateway, which gets nothing")
		}
		if err := adaptValidate(config); err != nil {
			t.Error(err)
		}
	})
}

// exampleShadowed reports whether anything of a configuration stands behind a handler that answers all requests, in the same list of
// routes or handlers, and holds a gateway.
func exampleShadowed(v gjson.Result) bool {
	if !v.IsObject() && !v.IsArray() {
		return false
	}
	shadowed, answered := false, false
	v.ForEach(func(_, element gjson.Result) bool {
		handler := element.Get("handler").String() // Caddy makes one route of several without a matcher
		if !element.Get("match").Exists() && handler == "" {
			handler = element.Get("handle.0.handler").String()
		}
		shadowed = answered && strings.Contains(element.Raw, `"handler":"llm_gateway"`) || exampleShadowed(element)
		answered = answered || handler == "static_response"
		return !shadowed
	})
	return shadowed
}

// exampleVariables lists the environment variables that an example reads.
func exampleVariables(text string) []string {
	var names []string
	for _, m := range exampleEnv.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// exampleAdapt adapts a Caddyfile, or the part of one: what stands in a site, or in the block of llm_gateway. The error
// is that of the text as it stands.
func exampleAdapt(text string) ([]byte, error) {
	config, err := adaptCaddyfile(text)
	if err == nil && strings.Contains(string(config), `"llm_gateway"`) {
		return config, nil
	}
	for _, around := range [][2]string{{":8080 {\n", "\n}\n"}, {":8080 {\nllm_gateway {\n", "\n}\n}\n"}} {
		if whole, wholeErr := adaptCaddyfile(around[0] + text + around[1]); wholeErr == nil {
			return whole, nil
		}
	}
	return config, err
}
