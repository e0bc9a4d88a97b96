package llmgateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/caddy-llm/llmgateway/accounting/report/reporttest"
)

// runUsage runs the command as Caddy's command line does, and returns what it printed.
func runUsage(t *testing.T, args ...string) (string, error) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stdout := os.Stdout
	os.Stdout = file
	defer func() { os.Stdout = stdout }()
	cmd := &cobra.Command{Use: usageCommand.Name, SilenceUsage: true, SilenceErrors: true}
	usageCommand.CobraFunc(cmd)
	cmd.SetArgs(args)
	cmd.SetOut(io.Discard)
	failed := cmd.Execute()
	printed, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(printed), failed
}

// adminAt serves the admin endpoint, and returns its address.
func adminAt(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func TestTheCommandPrintsWhatWasSpent(t *testing.T) {
	withReaders(t, spent())
	address := adminAt(t, adminServer())
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"a table by user and model": {
			nil,
			[]string{"USER   MODEL  REQUESTS", "alice  m             1       0          7           3   $1.2500\n", "TOTAL                2"},
		},
		"what was asked for": {
			[]string{"--by", "model", "--since", "1d", "--until", "now", "--tz", "UTC", "--where", "user=alice", "--where", "user==bob", "--limit", "1"},
			[]string{"MODEL  REQUESTS", "TOTAL         2", "more groups than the limit of 1", "(UTC)"},
		},
		"JSON":              {[]string{"--json", "--by", ""}, []string{`"by":[],"rows":[{"requests":2,`}},
		"CSV":               {[]string{"--csv", "--by", "user"}, []string{"user,requests,", "\nalice,1,", "\n'=bob,1,"}},
		"the summary":       {[]string{"--summary", "--tz", "UTC", "--where", "user=alice"}, []string{`"timezone":"UTC","today_cost_usd":`}},
		"entries":           {[]string{"export", "--since", "1d", "--where", "user=alice"}, []string{`"attempt_id":"1"`}},
		"entries as lines":  {[]string{"export", "--jsonl", "--limit", "1"}, []string{`"attempt_id":"1"`}},
		"entries for Excel": {[]string{"export", "--csv"}, []string{"time,attempt_id,", ",'=bob,"}},
	} {
		got, err := runUsage(t, append(tc.args, "--address", address)...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range tc.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, got)
			}
		}
	}
}

func TestTheCommandFindsTheAdminEndpointInAConfiguration(t *testing.T) {
	withReaders(t, spent())
	config := filepath.Join(t.TempDir(), "caddy.json")
	if err := os.WriteFile(config, []byte(`{"admin":{"listen":"`+adminAt(t, adminServer())+`"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := runUsage(t, "--config", config); err != nil || !strings.Contains(got, "alice") {
		t.Errorf("%s %v", got, err)
	}
}

func TestTheCommandSaysWhatIsWrong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	withLedger := adminAt(t, adminServer())
	older := adminAt(t, http.NotFoundHandler())
	broken := adminAt(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"attempt":1}`+"\n")
		_ = http.NewResponseController(w).Flush() // so that the status is sent
		panic(http.ErrAbortHandler)
	}))
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"Caddy is not running":        {[]string{"--address", nobody}, "is Caddy running?"},
		"another build":               {[]string{"--address", older}, "no LLM gateway that knows this question"},
		"no ledger":                   {[]string{"--address", withLedger}, "configure one: ledger sqlite"},
		"no address":                  {[]string{"--address", "a:b:c"}, "a:b:c"},
		"no configuration":            {[]string{"--config", filepath.Join(t.TempDir(), "none.json")}, "finding the admin endpoint"},
		"no filter":                   {[]string{"--address", nobody, "--where", "alice"}, `--where "alice" is not a field and a value`},
		"no field":                    {[]string{"--address", nobody, "--where", "=alice"}, "is not a field and a value"},
		"a filter that is none":       {[]string{"--address", nobody, "--where", "since=1d"}, "is not a field and a value"},
		"two formats":                 {[]string{"--csv", "--json"}, "[csv json]"},
		"a summary of a period":       {[]string{"--summary", "--since", "1d"}, "leave out --since"},
		"an argument":                 {[]string{"user"}, "unknown command"},
		"an export that breaks off":   {[]string{"export", "--address", broken}, "broke off"},
		"an answer that is no answer": {[]string{"--address", broken}, "reading the answer"},
	} {
		if got, err := runUsage(t, tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	withReaders(t, new(reporttest.Memory))
	if _, err := runUsage(t, "--address", withLedger, "--by", "usr"); err == nil || !strings.HasPrefix(err.Error(), `by: there is no field "usr"; did you mean "user"?`) {
		t.Error(err)
	}
}
