package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// TestValidatingConnectsToNothing checks that loading a configuration leaves the network alone: providers cost money and
// may be down, and a server has to start all the same.
func TestValidatingConnectsToNothing(t *testing.T) {
	adaptEnvironment(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	base := "http://" + listener.Addr().String()
	for _, input := range []string{
		":8080 {\n\tllm_gateway\n}\n",
		strings.ReplaceAll(`:8080 {
	llm_gateway {
		provider openai    BASE key
		provider anthropic BASE key
		provider gemini    BASE key
		provider gpu vllm  BASE BASE/two {
			transport http {
				tls_insecure_skip_verify
			}
			max_fails 1
		}
		model fast gpu/a openai/b
		model *    anthropic
		ledger log
	}
}
`, "BASE", base),
	} {
		config, err := adaptCaddyfile(input)
		if err != nil {
			t.Fatal(err)
		}
		if err := adaptValidate(config); err != nil {
			t.Fatal(err)
		}
	}
	// Connections are accepted in the order they were made: one of the test's own has to be the first.
	own, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	first, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if first.RemoteAddr().String() != own.LocalAddr().String() {
		t.Errorf("validating connected from %s", first.RemoteAddr())
	}
}

// validateFile is the environment variable with which the test binary becomes `caddy validate`.
const validateFile = "LLMGATEWAY_TEST_VALIDATE"

// TestCaddyValidateCommand is not a test but the process that validateCommand starts.
func TestCaddyValidateCommand(t *testing.T) {
	file := os.Getenv(validateFile)
	if file == "" {
		t.Skip("runs only in a process that another test starts")
	}
	os.Args = []string{"caddy", "validate", "--adapter", "caddyfile", "--config", file}
	caddycmd.Main()
}

// validateCommand runs `caddy validate` on a Caddyfile in a process whose every folder is empty and the test's own. It returns
// what the process prints and the files it leaves.
func validateCommand(t *testing.T, input string) (output string, files []string, err error) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte(input), 0o600); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCaddyValidateCommand$")
	cmd.Dir = home
	cmd.Env = append(os.Environ(), validateFile+"="+config)
	for _, name := range []string{"HOME", "AppData", "LocalAppData", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "TMPDIR"} {
		cmd.Env = append(cmd.Env, name+"="+home)
	}
	out, err := cmd.CombinedOutput()
	walk := filepath.WalkDir(home, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, strings.TrimPrefix(path, home))
		}
		return err
	})
	if walk != nil {
		t.Fatal(walk)
	}
	return string(out), files, err
}

func TestValidatingCreatesNoFile(t *testing.T) {
	// What Caddy itself leaves is not ours.
	_, caddys, err := validateCommand(t, ":8080 {\n\trespond ok\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{"", "simulated", "ollama {\n\t\tledger log\n\t\tprice ollama/* input 0 output 0\n\t}"} {
		output, files, err := validateCommand(t, ":8080 {\n\tllm_gateway "+options+"\n}\n")
		if err != nil || !strings.Contains(output, "Valid configuration") {
			t.Errorf("%q: %v\n%s", options, err, output)
		}
		if !slices.Equal(files, caddys) {
			t.Errorf("%q: left %v; Caddy alone leaves %v", options, files, caddys)
		}
	}
}

// validateSecret stands for an API key. It is sought for by halves, so that a prefix does not pass either.
const validateSecret = "sk-Zr8VYk2mQ9tLx-4fWb7NcJd3HsPg"

func validateLeaks(text string) bool {
	half := len(validateSecret) / 2
	return strings.Contains(text, validateSecret[:half]) || strings.Contains(text, validateSecret[half:])
}

func TestSecretsStayOutOfEverything(t *testing.T) {
	for _, tc := range []struct{ name, options, fails string }{
		{name: "the vendor's own variable", options: `provider openai`},
		{name: "a placeholder", options: `provider openai {env.ADAPT_SECRET}`},
		{name: "a file", options: `provider openai {file.SECRETFILE}`},
		{name: "a header and an organization", options: `provider openai {env.ADAPT_SECRET} {
			organization {env.ADAPT_SECRET}
			header_up X-Key {env.ADAPT_SECRET}
		}`},
		{name: "several endpoints", options: `provider gpu vllm http://a http://b {env.ADAPT_SECRET}`},
		{name: "another key is empty", options: `provider openai {env.ADAPT_SECRET} {env.ADAPT_NOT_SET}`, fails: "ADAPT_NOT_SET"},
		{name: "a key where a URL belongs", options: `provider openai {
			base_url {env.ADAPT_SECRET}
		}`, fails: "base URL"},
		{name: "a password in a URL", options: `provider openai {
			base_url https://a:{env.ADAPT_SECRET}@host
		}`, fails: "user name or password"},
		{name: "a password in a broken URL", options: `provider openai {
			base_url https://a:{env.ADAPT_SECRET}@host:port
		}`, fails: "base URL"},
		{name: "a mistake elsewhere", options: `provider openai {env.ADAPT_SECRET}
		model fast openai/x {
			fallback fast
		}`, fails: "circle"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			adaptEnvironment(t)
			t.Setenv("OPENAI_API_KEY", validateSecret)
			t.Setenv("ADAPT_SECRET", validateSecret)
			folder := t.TempDir()
			secretFile, logFile := filepath.Join(folder, "secret"), filepath.Join(folder, "log")
			if err := os.WriteFile(secretFile, []byte(validateSecret+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			options := strings.ReplaceAll(tc.options, "SECRETFILE", secretFile)
			config, err := adaptCaddyfile(fmt.Sprintf("{\n\tdebug\n\tlog {\n\t\toutput file %s\n\t}\n}\n\n:8080 {\n\tllm_gateway {\n\t\t%s\n\t}\n}\n", logFile, options))
			if err != nil {
				t.Fatal(err)
			}
			if validateLeaks(string(config)) {
				t.Errorf("in the adapted configuration:\n%s", config)
			}
			err = adaptValidate(config)
			if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Fatalf("error %v, want %q", err, tc.fails)
			}
			if err != nil && validateLeaks(err.Error()) {
				t.Errorf("in the error: %v", err)
			}
			log, err := os.ReadFile(logFile)
			if err != nil || len(log) == 0 {
				t.Fatalf("no log: %v", err)
			}
			if validateLeaks(string(log)) {
				t.Errorf("in the log:\n%s", log)
			}
			if tc.fails == "" {
				validateMarshaled(t, config)
			}
		})
	}
}

// validateMarshaled checks the handler as it is once loaded, in the form in which a log or the admin endpoint would show it.
func validateMarshaled(t *testing.T, config []byte) {
	t.Helper()
	var whole struct {
		Apps struct {
			HTTP struct {
				Servers map[string]struct {
					Routes []struct{ Handle []json.RawMessage }
				}
			} `json:"http"`
		}
	}
	if err := json.Unmarshal(config, &whole); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(whole.Apps.HTTP.Servers["srv0"].Routes[0].Handle[0], &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "handler")
	members["ledger"] = json.RawMessage(`{"ledger":"off"}`) // the default one needs a configuration around it
	raw, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := ctx.LoadModuleByID("http.handlers.llm_gateway", raw)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(handler)
	if err != nil {
		t.Fatal(err)
	}
	if shown = fmt.Appendf(shown, " %+v", handler); validateLeaks(string(shown)) {
		t.Errorf("in the loaded handler:\n%s", shown)
	}
}
