package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	importsModule = "github.com/caddy-llm/llmgateway"

	importsCaddy     = "github.com/caddyserver/caddy/v2"
	importsCaddyfile = "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	importsGJSON     = "github.com/tidwall/gjson"
	importsZap       = "go.uber.org/zap"
	importsZapcore   = "go.uber.org/zap/zapcore"
	importsMetrics   = "github.com/prometheus/client_golang/prometheus"
	importsAWS       = "github.com/aws/aws-sdk-go-v2"
	importsAnything  = "*"
)

// importRule says what the packages that match a pattern may import.
type importRule struct {
	of      string
	may     []string
	because string
}

// importRules say what the packages may import beyond the standard library; tests are free. Paths without a host are
// our own, and * stands for one path element. The first rule that names a package counts.
var importRules = []importRule{
	{"dialects/conversation", nil, "the neutral form is pure data"},
	{"internal/sse", nil, "a leaf: it knows frames, not what is in them"},
	{"internal/jsonedit", nil, "a leaf: it knows JSON, not what it means"},
	{"internal/nearest", nil, "a leaf: it knows words, not what they name"},
	{"internal/claude", []string{"internal/jsonedit"}, "facts about models that two dialects carry, schemas among them"},
	{"accounting", nil, "money is arithmetic; it must be possible to check it without a server"},
	{"balancing", []string{importsCaddy, importsCaddyfile}, "a policy sees values, not providers; policies are Caddy modules that parse themselves"},
	{"providers", []string{importsCaddyfile, importsGJSON}, "the contract of providers; the Caddyfile is for what kinds share when they parse themselves"},

	{"dialects/dialecttest", []string{"dialects", "dialects/conversation", "internal/jsonedit", "internal/sse", importsGJSON}, "what tests of dialects share; only they import it"},
	{"dialects", []string{"dialects/conversation", "internal/jsonedit", "internal/sse", "providers"}, "the contract of codecs"},
	{
		"dialects/*",
		[]string{"dialects", "dialects/conversation", "internal/claude", "internal/jsonedit", "internal/sse", "providers", importsGJSON},
		"a dialect is a language: it meets the others only in the neutral form, and it neither logs nor counts nor configures",
	},

	{"providers/simulated", []string{"providers", "internal/fakellm", "internal/jsonedit", importsCaddy, importsCaddyfile}, "the one provider with a model of its own"},
	{"providers/providertest", []string{"providers"}, "the conformance suite of a contract needs the contract"},
	{
		"providers/bedrock",
		[]string{"providers", importsCaddy, importsCaddyfile, importsAWS + "/aws", importsAWS + "/aws/signer/v4"},
		"requests are signed by AWS's own code, which is small; the rest of the SDK is not",
	},
	{
		"providers/bedrock/awschain",
		[]string{"providers/bedrock", importsAWS + "/aws", importsAWS + "/config"},
		"what is large is a package of its own, and nobody imports it",
	},
	{
		"providers/*",
		[]string{"providers", "internal/jsonedit", importsCaddy, importsCaddyfile},
		"a provider is where and as whom; in which language is not its business, nor are other providers",
	},

	{"accounting/ledgertest", []string{"accounting"}, "the conformance suite of a contract needs the contract"},
	{"accounting/report", []string{"accounting", "internal/jsonedit", "internal/nearest"}, "reports ask ledgers through the contract; it must be possible to check them without a server or a database"},
	{"accounting/report/reporttest", []string{"accounting"}, "a ledger to ask, for tests; only they import it"},
	{"accounting/usagedb", []string{"accounting"}, "a ledger's tables know entries and SQL; the drivers and Caddy are the business of who opens them"},
	{"accounting/logledger", []string{"accounting", importsCaddy, importsCaddyfile, importsZap, importsZapcore}, "a ledger is a Caddy module; this one is a log"},
	{
		"accounting/dbledger",
		[]string{"accounting", "accounting/journal", importsCaddy, importsCaddyfile, importsZap, importsZapcore, "github.com/dustin/go-humanize"},
		"what ledgers with a database share, whichever it is",
	},
	{
		"accounting/sqliteledger",
		[]string{"accounting", "accounting/dbledger", "accounting/usagedb", importsCaddy, importsCaddyfile, importsZap, "modernc.org/sqlite"},
		"a ledger is a Caddy module; this one is a file",
	},
	{
		"accounting/postgresledger",
		[]string{
			"accounting", "accounting/dbledger", "accounting/usagedb", importsCaddy, importsCaddyfile, importsZap,
			"github.com/jackc/pgx/v5", "github.com/jackc/pgx/v5/stdlib",
		},
		"a ledger is a Caddy module; this one is a server",
	},
	{"accounting/journal", []string{"accounting", importsZap, "golang.org/x/sys/unix"}, "files and locks; which database takes the entries is not its business"},

	{"usertimeout", []string{importsCaddy, importsCaddyfile, importsZap, "golang.org/x/sys/unix"}, "a listener wrapper knows connections and nothing of what they carry"},

	{"internal/fakellm", []string{"internal/jsonedit", importsGJSON}, "a fake that shared code with what it tests would share its mistakes"},
	{"internal/wiretest", nil, "a checker that shared code with what it checks would share its mistakes"},
	{"internal/faultllm", nil, "a rig that shared code with what it judges would share its mistakes"},
	{"internal/pgtest", nil, "a rig for the tests of several packages; it runs PostgreSQL's own programs"},
	{"internal/pricegen", []string{"accounting"}, "it writes the file that accounting reads"},
	{"bench", []string{"golang.org/x/sync/errgroup", "golang.org/x/sys/unix"}, "a benchmark drives a binary from outside"},

	{".", []string{importsAnything}, "the handler is where everything meets"},
	{"cmd/*", []string{".", importsCaddy + "/cmd", importsCaddy + "/modules/standard"}, "a main imports the root, and nobody else does"},
	{"integration", []string{importsAnything}, "it tests the whole"},
}

// importsFree are packages that must stay free of something even through others.
var importsFree = []struct {
	of      []string
	from    []string
	because string
}{
	{
		[]string{"dialects/conversation", "internal/claude", "internal/sse", "internal/jsonedit", "internal/fakellm", "internal/faultllm", "accounting"},
		[]string{importsCaddy, importsZap, importsMetrics},
		"leaves are for everyone, also outside of Caddy",
	},
	{
		[]string{"."},
		[]string{"dialects/dialecttest", "accounting/report/reporttest", "testing"},
		"what tests share is for tests",
	},
	{
		[]string{"."},
		[]string{"providers/bedrock/awschain", importsAWS + "/config"},
		"AWS's chain of credentials is as large as the rest together: who wants it says so when building",
	},
}

// importsPackage is what go list tells about a package.
type importsPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
	Module     *struct{ Path string }
}

// importsOwn is the path within the module, or the whole path of somebody else's package.
func importsOwn(importPath string) string {
	if importPath == importsModule {
		return "."
	}
	return strings.TrimPrefix(importPath, importsModule+"/")
}

func TestImports(t *testing.T) {
	packages := importsList(t)
	t.Run("packages import only what they may", func(t *testing.T) { importsCheckRules(t, packages) })
	t.Run("leaves reach nothing through others", func(t *testing.T) { importsCheckLeaves(t, packages) })
	t.Run("only observe.go reports", importsCheckObserve)
}

func importsCheckRules(t *testing.T, packages []importsPackage) {
	standard := map[string]bool{"C": true, "unsafe": true}
	for _, p := range packages {
		if p.Standard {
			standard[p.ImportPath] = true
		}
	}
	used := map[string]bool{}
	for _, p := range packages {
		if p.Module == nil || p.Module.Path != importsModule {
			continue
		}
		name := importsOwn(p.ImportPath)
		i := importsRule(t, name)
		if i < 0 {
			t.Errorf("no rule says what %s may import", name)
			continue
		}
		rule := importRules[i]
		used[rule.of] = true
		for _, imported := range p.Imports {
			to := importsOwn(imported)
			if standard[imported] || slices.Contains(rule.may, to) || slices.Contains(rule.may, importsAnything) {
				continue
			}
			t.Errorf("%s → %s\n\t%s may import %q: %s", name, to, rule.of, rule.may, rule.because)
		}
	}
	for _, rule := range importRules {
		if !used[rule.of] {
			t.Errorf("the rule of %s is about no package", rule.of)
		}
	}
}

func importsCheckLeaves(t *testing.T, packages []importsPackage) {
	for _, free := range importsFree {
		for _, name := range free.of {
			i := slices.IndexFunc(packages, func(p importsPackage) bool { return importsOwn(p.ImportPath) == name })
			if i < 0 {
				t.Errorf("there is no package %s", name)
				continue
			}
			for _, dep := range packages[i].Deps {
				for _, from := range free.from {
					if dep := importsOwn(dep); dep == from || strings.HasPrefix(dep, from+"/") {
						t.Errorf("%s → … → %s: %s", name, dep, free.because)
					}
				}
			}
		}
	}
}

// importsCheckObserve keeps metrics in one file of the root package: what is reported can be read in one place.
func importsCheckObserve(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no source files: %v", err)
	}
	found := false
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range source.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case !strings.HasPrefix(imported, path.Dir(importsMetrics)):
			case name == "observe.go":
				found = true
			default:
				t.Errorf("%s → %s: only observe.go reports", name, imported)
			}
		}
	}
	if !found {
		t.Error("observe.go does not import Prometheus either: this test looks for the wrong thing")
	}
}

// importsRule finds the rule of a package, or -1.
func importsRule(t *testing.T, name string) int {
	t.Helper()
	return slices.IndexFunc(importRules, func(r importRule) bool {
		ok, err := path.Match(r.of, name)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	})
}

// importsList asks the go command for all packages of the module and everything they are made of.
func importsList(t *testing.T) []importsPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps,Module", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var packages []importsPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p importsPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
