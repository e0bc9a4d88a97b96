package llmgateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-llm/llmgateway/accounting/report"
)

// usageCommand is registered by command.go.
var usageCommand = caddycmd.Command{
	Name: "llm-usage",
	Usage: "[--by <fields>] [--since <time>] [--until <time>] [--tz <zone>] [--where <field>=<value>]... [--limit <n>] " +
		"[--csv|--json|--summary] [--address <addr>] [--config <path> [--adapter <name>]]",
	Short: "Prints what the running gateway spent on large language models",
	Long: `
Asks the running Caddy, over its admin endpoint, what its gateways spent, and
prints it as a table. The gateway needs a ledger that can be asked, such as
'ledger sqlite'.

--by names up to three fields to group by, with commas between them: user,
team, key, provider, model, upstream_model, dialect, tier, certainty,
error_class; hour, day or month; or the name of a tag, such as feature.

--since and --until are times: how long ago (30d, 12h, 2w), a date
(2026-11-01), RFC 3339, or today, yesterday, week, month, year, all. The
period ends before --until. Days are those of the server's time zone, or of
--tz (Europe/Berlin).

--where chooses by fields: --where user=alice. Several values of a field are
alternatives; several fields have to match all. A tag is written tag.<name>.

--csv and --json print for programs, --summary prints today, yesterday and
this month as JSON. 'caddy llm-usage export' prints every call.
`,
	CobraFunc: func(cmd *cobra.Command) {
		questionFlags(cmd)
		cmd.Flags().StringP("by", "b", "user,model", "The fields to group by")
		cmd.Flags().Bool("csv", false, "Print CSV")
		cmd.Flags().Bool("json", false, "Print JSON")
		cmd.Flags().Bool("summary", false, "Print the summary for dashboards")
		cmd.MarkFlagsMutuallyExclusive("csv", "json", "summary")
		cmd.Args = cobra.NoArgs
		cmd.RunE = caddycmd.WrapCommandFuncForCobra(printUsage)
		cmd.AddCommand(exportCommand(), backupCommand())
	},
}

func exportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "export [--since <time>] [--until <time>] [--tz <zone>] [--where <field>=<value>]... [--limit <n>] " +
			"[--csv|--jsonl] [--address <addr>] [--config <path> [--adapter <name>]]",
		Short: "Prints every call that the running gateway made to a provider",
		Long: `
Prints what the ledger of the running Caddy knows of every call to a provider,
oldest first, as a JSON object in each line or as CSV. The exit status is not 0
unless everything was printed.
`,
		Args: cobra.NoArgs,
		RunE: caddycmd.WrapCommandFuncForCobra(exportUsage),
	}
	questionFlags(cmd)
	cmd.Flags().Bool("csv", false, "Print CSV")
	cmd.Flags().Bool("jsonl", false, "Print a JSON object in each line (the default)")
	cmd.MarkFlagsMutuallyExclusive("csv", "jsonl")
	return cmd
}

// questionFlags are the flags that both commands have.
func questionFlags(cmd *cobra.Command) {
	cmd.Flags().StringP("since", "s", "", "The beginning of the period (default 30d)")
	cmd.Flags().StringP("until", "u", "", "The end of the period (default now)")
	cmd.Flags().String("tz", "", "The time zone of days and months (default the server's)")
	cmd.Flags().StringArrayP("where", "w", nil, "Only what has this value, as <field>=<value>; may be repeated")
	cmd.Flags().StringP("limit", "n", "", "The largest number of rows")
	cmd.Flags().String("address", "", "The address of the admin endpoint, if not the default")
	cmd.Flags().StringP("config", "c", "", "Configuration file to read the admin address from, if --address is not used")
	cmd.Flags().StringP("adapter", "a", "", "Name of config adapter to apply (when --config is used)")
}

func printUsage(fs caddycmd.Flags) (int, error) {
	params, err := question(fs)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	write := copyAnswer
	path := usagePath
	switch {
	case fs.Bool("summary"):
		for _, name := range []string{"since", "until", "limit"} {
			if params.Has(name) {
				return caddy.ExitCodeFailedStartup, fmt.Errorf("--summary has periods of its own; leave out --%s", name)
			}
		}
		path += "/summary"
	case fs.Bool("csv"):
		params.Set("format", report.FormatCSV)
	case !fs.Bool("json"):
		write = report.WriteTable
	}
	if path == usagePath {
		params.Set("by", fs.String("by"))
	}
	return askAdmin(fs, path, params, write)
}

func exportUsage(fs caddycmd.Flags) (int, error) {
	params, err := question(fs)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	if fs.Bool("csv") {
		params.Set("format", report.FormatCSV)
	}
	return askAdmin(fs, usagePath+"/entries", params, copyAnswer)
}

// question turns flags into parameters. What they may say is for the admin endpoint to judge.
func question(fs caddycmd.Flags) (url.Values, error) {
	params := url.Values{}
	where, err := fs.GetStringArray("where")
	if err != nil {
		return nil, err
	}
	for _, w := range where {
		field, value, ok := strings.Cut(w, "=")
		if !ok || slices.Contains([]string{"", "by", "since", "until", "tz", "limit", "format"}, field) {
			return nil, fmt.Errorf("--where %q is not a field and a value, such as user=alice", w)
		}
		params.Add(field, value)
	}
	for _, name := range []string{"since", "until", "tz", "limit"} {
		if v := fs.String(name); v != "" {
			params.Set(name, v)
		}
	}
	return params, nil
}

func copyAnswer(w io.Writer, answer io.Reader) error {
	_, err := io.Copy(w, answer)
	return err
}

// askAdmin asks the admin endpoint of the running Caddy, and writes its answer to standard output.
func askAdmin(fs caddycmd.Flags, path string, params url.Values, write func(io.Writer, io.Reader) error) (int, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(fs.String("address"), nil, fs.String("config"), fs.String("adapter"))
	if err != nil {
		return caddy.ExitCodeFailedStartup, fmt.Errorf("finding the admin endpoint: %w", err)
	}
	resp, err := caddycmd.AdminAPIRequest(address, http.MethodGet, path+"?"+params.Encode(), nil, nil)
	if err != nil {
		return caddy.ExitCodeFailedStartup, explain(address, err)
	}
	defer resp.Body.Close()
	if err := write(os.Stdout, resp.Body); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the answer broke off: what was printed is not all; Caddy's log says why")
		}
		return caddy.ExitCodeFailedStartup, err
	}
	return caddy.ExitCodeSuccess, nil
}

// explain says what the errors of Caddy's client mean here. They come as text alone.
func explain(address string, err error) error {
	text := err.Error()
	if strings.HasPrefix(text, "performing request") {
		return fmt.Errorf("there is no answer from Caddy's admin endpoint at %s: is Caddy running? If its admin endpoint is elsewhere, "+
			"use --address or --config (%w)", address, err)
	}
	_, answer, ok := strings.Cut(text, "caddy responded with error: HTTP ")
	if !ok {
		return err
	}
	status, body, _ := strings.Cut(answer, ": ")
	var e struct {
		Error string `json:"error"`
	}
	switch {
	case json.Unmarshal([]byte(body), &e) == nil && e.Error != "":
		return errors.New(e.Error)
	case status == "404":
		return fmt.Errorf("the Caddy at %s has no LLM gateway that knows this question: is it another build?", address)
	}
	return err
}
