package llmgateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(usageCommand)
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "llm-gateway",
		Usage: "[--listen <addr>] [--provider <kind>]... [--access-log] [--debug]",
		Short: "Runs a gateway to large language models without a Caddyfile",
		Long: `
Starts a gateway that OpenAI, Anthropic and Gemini clients can be pointed at.

Providers are discovered: those whose API key is in the environment (such as
OPENAI_API_KEY or ANTHROPIC_API_KEY) and model servers that listen on their
usual port on this machine (Ollama, LM Studio, vLLM, SGLang, llama.cpp). When
there is neither, a simulated provider answers, so that everything can be tried
without an account.

--provider names kinds explicitly and may be repeated.

The gateway serves plain HTTP and answers clients from private addresses only.
For TLS, authentication, public model names and everything else, write a
Caddyfile and use 'caddy run'.
`,
		CobraFunc: setUpQuickStart,
	})
}

func setUpQuickStart(cmd *cobra.Command) {
	cmd.Flags().StringP("listen", "l", ":8080", "The address to listen on")
	cmd.Flags().StringSliceP("provider", "p", nil, "A kind of provider to use; may be repeated")
	cmd.Flags().BoolP("access-log", "", false, "Enable the access log")
	cmd.Flags().BoolP("debug", "v", false, "Enable verbose debug logs")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unexpected argument %q; kinds of providers are named with --provider, as in: "+
				"caddy llm-gateway --provider openai", args[0])
		}
		return nil
	}
	cmd.RunE = caddycmd.WrapCommandFuncForCobra(runGateway)
	cmd.AddCommand(pricesCommand())
}

func runGateway(fs caddycmd.Flags) (int, error) {
	caddy.TrapSignals()
	listen := fs.String("listen")
	kinds, err := fs.GetStringSlice("provider")
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	found := findings{asked: len(kinds) > 0}
	if !found.asked {
		found = discoverKinds()
		kinds = found.kinds()
	}
	h := new(Handler)
	for _, k := range kinds {
		raw, err := kindConfig(k)
		if err != nil {
			return caddy.ExitCodeFailedStartup, err
		}
		h.Providers = append(h.Providers, &ProviderConfig{Name: k, ProviderRaw: raw})
	}
	cfg, err := quickConfig(h, listen, fs.Bool("access-log"), fs.Bool("debug"))
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if err := caddy.Run(cfg); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	found.print(os.Stdout, listen, kinds)
	select {}
}

// quickConfig is the configuration that the command runs.
func quickConfig(h *Handler, listen string, accessLog, debug bool) (*caddy.Config, error) {
	if _, _, err := net.SplitHostPort(listen); err != nil {
		return nil, fmt.Errorf("--listen %q is not an address such as :8080 or 127.0.0.1:8080", listen)
	}
	server := &caddyhttp.Server{
		Listen: []string{listen},
		Routes: caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{
			caddyconfig.JSONModuleObject(h, "handler", "llm_gateway", nil),
		}}},
		AutoHTTPS: &caddyhttp.AutoHTTPSConfig{Disabled: true},
	}
	if accessLog {
		server.Logs = new(caddyhttp.ServerLogConfig)
	}
	no := false
	cfg := &caddy.Config{
		Admin: &caddy.AdminConfig{Disabled: true, Config: &caddy.ConfigSettings{Persist: &no}},
		AppsRaw: caddy.ModuleMap{
			"http": caddyconfig.JSON(caddyhttp.App{Servers: map[string]*caddyhttp.Server{"llm": server}}, nil),
		},
	}
	level := "INFO"
	if debug {
		level = "DEBUG"
	}
	cfg.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: level}}}}
	return cfg, nil
}

// findings is what discovery came up with.
type findings struct {
	asked          bool // with --provider, and not found
	vendors, local []string
}

func discoverKinds() findings {
	d := newDiscovery()
	return findings{vendors: d.vendors, local: d.listening()}
}

func (f findings) kinds() []string {
	if k := slices.Concat(f.vendors, f.local); len(k) > 0 {
		return k
	}
	return []string{simulatedKind}
}

// print tells what runs, where, and how to try it.
func (f findings) print(w io.Writer, listen string, kinds []string) {
	var b strings.Builder
	b.WriteString("\nLLM gateway\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "  provider   %s (%s)\n", k, f.why(k))
	}
	base := "http://" + reachable(listen)
	fmt.Fprintf(&b, "  address    %s\n\n", base)
	fmt.Fprintf(&b, "  OpenAI clients     OPENAI_BASE_URL=%s/v1\n", base)
	fmt.Fprintf(&b, "  Anthropic clients  ANTHROPIC_BASE_URL=%s\n", base)
	fmt.Fprintf(&b, "  Gemini clients     GOOGLE_GEMINI_BASE_URL=%s\n\n", base)
	fmt.Fprintf(&b, "Try it:\n  curl -N %s/v1/chat/completions -H 'Content-Type: application/json' \\\n"+
		"    -d '{\"model\":\"%s\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}]}'\n\n", base, tryModel(kinds[0]))
	_, _ = io.WriteString(w, b.String()) // standard output may be closed; the gateway runs all the same
}

func (f findings) why(kind string) string {
	switch {
	case f.asked:
		return "asked for with --provider"
	case slices.Contains(f.vendors, kind):
		return "its API key is in the environment"
	case slices.Contains(f.local, kind):
		return "it answers on this machine"
	}
	return "no API key in the environment and no model server on this machine: answers are simulated"
}

// tryModels are models to try a provider with; cheap ones where there is a choice.
var tryModels = map[string]string{
	"openai": "openai/gpt-5-mini", "anthropic": "anthropic/claude-haiku-4-5", "gemini": "gemini/gemini-2.5-flash",
	"ollama": "ollama/llama3.2", "groq": "groq/llama-3.1-8b-instant", "mistral": "mistral/mistral-small-latest",
	"deepseek": "deepseek/deepseek-chat", simulatedKind: "simulated/demo",
}

func tryModel(kind string) string {
	if m, ok := tryModels[kind]; ok {
		return m
	}
	return kind + "/<model>"
}

// reachable turns a listen address into one that a client on this machine can use.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
