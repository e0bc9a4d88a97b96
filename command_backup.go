package llmgateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-llm/llmgateway/accounting/sqliteledger"
)

func backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup [--ledger <path>] <file>",
		Short: "Copies the SQLite ledger to a file, also while gateways use it",
		Long: `
Copies the database of the ledger sqlite, as it is at one moment, to a file that
does not exist yet. Gateways may go on using it meanwhile, or not run at all.

--ledger is the path in the configuration, if there is one.
`,
		Args: cobra.ExactArgs(1),
		RunE: caddycmd.WrapCommandFuncForCobra(backUp),
	}
	cmd.Flags().String("ledger", "", "The database, if not the default one")
	return cmd
}

func backUp(flags caddycmd.Flags) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	from, to := flags.String("ledger"), flags.Arg(0)
	if from == "" {
		from = sqliteledger.DefaultPath()
		if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
			return 1, fmt.Errorf("there is no ledger at %s; if the configuration names another path, give it with --ledger <path>", from)
		}
	}
	if err := sqliteledger.Backup(ctx, from, to); err != nil {
		return 1, err
	}
	fmt.Fprintf(os.Stderr, "copied %s to %s\n", from, to)
	return 0, nil
}
