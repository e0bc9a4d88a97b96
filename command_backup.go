package llmgateway

import (
	"context"
	"fmt"
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

func backUp(fs caddycmd.Flags) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	from, to := fs.String("ledger"), fs.Arg(0)
	if from == "" {
		from = sqliteledger.DefaultPath()
	}
	if err := sqliteledger.Backup(ctx, from, to); err != nil {
		return 1, err
	}
	fmt.Fprintf(os.Stderr, "copied %s to %s\n", from, to)
	return 0, nil
}
