// Command bench measures the gateway against Caddy's own reverse_proxy, side by side on one machine.
//
// It builds Caddy with the gateway, starts a fake provider and one Caddy process per lane, sends all lanes the same
// requests in short interleaved slices and prints what each request, each streamed event and each idle stream costs.
// Nothing leaves the loopback interface. README.md says how to read the result.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
)

// options are the command line.
type options struct {
	caddy   string         // a built Caddy; empty to build one
	quick   bool           // about 20 seconds instead of 3 minutes
	json    bool           // print JSON instead of the table
	profile string         // a folder for profiles instead of measuring; empty to measure
	only    *regexp.Regexp // run only the scenarios whose names match; nil for all
	extra   string         // lines added to both gateway blocks
	rounds  int            // 0: as many as the plan has
}

// maxRounds bounds how long a run can be made to take.
const maxRounds = 500

func main() {
	if len(os.Args) == 2 && os.Args[1] == providerCommand {
		if err := serveProvider(); err != nil {
			fmt.Fprintln(os.Stderr, "fake provider:", err)
			os.Exit(1)
		}
		return
	}
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o, os.Stdout, os.Stderr)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseOptions(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&o.caddy, "caddy", "", "Caddy `binary` with the gateway (default: build ./cmd/caddy)")
	fs.BoolVar(&o.quick, "quick", false, "about 20 seconds instead of 3 minutes; noisier")
	fs.IntVar(&o.rounds, "rounds", 0, "rounds of unary slices (default: 20, or 3 with -quick); more narrow the quartiles")
	fs.BoolVar(&o.json, "json", false, "print JSON instead of the table")
	fs.StringVar(&o.profile, "profile", "", "write CPU and allocation profiles of every loaded lane to `dir` instead of measuring")
	fs.StringVar(&o.extra, "options", "", "Caddyfile `lines` added to the llm_gateway block of both gateway lanes")
	fs.Func("only", "run only scenarios whose name matches the `regexp`", func(s string) (err error) {
		o.only, err = regexp.Compile(s)
		return err
	})
	err := fs.Parse(args)
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
		fmt.Fprintln(os.Stderr, err)
	}
	return o, err
}

// run does everything between the command line and the exit status. What it started is gone when it returns.
func run(ctx context.Context, o options, out, progress io.Writer) (err error) {
	sets := selectScenarios(scenarioSets(), o.only)
	if len(sets) == 0 {
		return fmt.Errorf("no scenario matches %q", o.only)
	}
	if o.profile != "" {
		// Relative to where the user stands; made first, so that a bad name fails before the build.
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "llmgateway-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	binary := o.caddy
	if binary == "" {
		fmt.Fprintln(progress, "building Caddy with the gateway ...")
		if binary, err = buildCaddy(ctx, dir); err != nil {
			return err
		}
	}
	// The load generator and the fake provider share one core, the process under test has the other to itself.
	cores, err := pickCores()
	if err != nil {
		return err
	}
	raiseFileLimit()
	runtime.GOMAXPROCS(1)
	if err := pinSelf(cores.load); err != nil {
		return fmt.Errorf("pinning the load generator: %w", err)
	}

	b := &bench{dir: dir, binary: binary, cores: cores, plan: fullPlan, extra: o.extra, progress: progress}
	if o.quick {
		b.plan = quickPlan
	}
	if o.rounds > 0 {
		b.plan.rounds = min(o.rounds, maxRounds)
	}
	defer b.close()
	if err := b.start(ctx); err != nil {
		return err
	}
	if o.profile != "" {
		return b.profile(ctx, sets, o.profile)
	}
	report, err := b.measure(ctx, sets)
	if err != nil {
		return err
	}
	if o.json {
		return report.writeJSON(out)
	}
	return report.writeTable(out)
}

func buildCaddy(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "caddy")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/caddy-llm/llmgateway/cmd/caddy")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building Caddy: %w\n%s", err, out)
	}
	return binary, nil
}
