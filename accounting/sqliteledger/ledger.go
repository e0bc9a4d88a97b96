// Package sqliteledger is a ledger in a SQLite file. It needs no other software and no C compiler.
package sqliteledger

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/dbledger"
)

func init() {
	caddy.RegisterModule((*Ledger)(nil))
}

// patience is how long a batch of entries may take. Most of it is for waiting while another process writes.
const patience = 30 * time.Second

// Ledger keeps the record of every attempt in a SQLite file, and sums of them. Requests do not wait for it: they write to a
// journal, which is in a folder beside the file whose name ends in `.intents`, and the file is written in the background.
//
// Several processes of one machine may use the same file. It must not be on a network's file system. While it is used, copies
// are made with `VACUUM INTO` or the `.backup` command of the sqlite3 program, never by copying the file.
type Ledger struct {
	// The file. It is made with mode 0600 if there is none, and folders with mode 0700. Placeholders are replaced.
	// Default: `llm_gateway/usage.db` in Caddy's data folder.
	Path string `json:"path,omitempty"`

	dbledger.Base

	path string // absolute, without placeholders
}

// CaddyModule returns the Caddy module information.
func (*Ledger) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.ledgers.sqlite",
		New: func() caddy.Module { return new(Ledger) },
	}
}

// DefaultPath is where the database is if nothing else is said.
func DefaultPath() string { return filepath.Join(caddy.AppDataDir(), "llm_gateway", "usage.db") }

// Provision sets up the ledger. It neither reads nor makes a file.
func (l *Ledger) Provision(ctx caddy.Context) error {
	path := DefaultPath()
	if l.Path != "" {
		var err error
		if path, err = caddy.NewReplacer().ReplaceOrErr(l.Path, true, true); err != nil {
			return fmt.Errorf("path: %w", err)
		}
	}
	if path == ":memory:" {
		return errors.New("path: a ledger needs a file; for none, write ledger off")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("path: %w", err)
	}
	l.path = path
	return l.Attach(ctx, dbledger.Database{
		Name:     path,
		Journal:  path + ".intents",
		Patience: patience,
		Open: func(ctx context.Context, logger *zap.Logger) (dbledger.Records, error) {
			return open(ctx, path, logger)
		},
	})
}

// Validate checks nothing: Provision has.
func (l *Ledger) Validate() error { return nil }

// BackupTo copies the database to a file that does not exist yet. Entries that were recorded before the call are in the
// copy, unless the database did not take them within a second. The gateway may go on meanwhile.
func (l *Ledger) BackupTo(ctx context.Context, path string) error {
	return l.View(ctx, func(r dbledger.Records) error { return Backup(ctx, r.(*database).path, path) })
}

// UnmarshalCaddyfile sets up the ledger from Caddyfile tokens. Syntax:
//
//	ledger sqlite [<path>] {
//		durability process|power|async
//		on_failure buffer|refuse
//		retention  <duration>|forever
//		max_outbox <size>
//	}
func (l *Ledger) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if d.NextArg() {
		if l.Path = d.Val(); l.Path == "" {
			return d.Err("the path is empty")
		}
		if d.NextArg() {
			return d.ArgErr()
		}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		known, err := l.UnmarshalOption(d)
		if err != nil {
			return err
		}
		if !known {
			return d.Errf("unrecognized ledger option '%s'; known are %s", d.Val(), dbledger.OptionNames)
		}
	}
	return nil
}

// Interface guards
var (
	_ accounting.Ledger     = (*Ledger)(nil)
	_ accounting.Starter    = (*Ledger)(nil)
	_ accounting.Holder     = (*Ledger)(nil)
	_ accounting.Journal    = (*Ledger)(nil)
	_ accounting.Reader     = (*Ledger)(nil)
	_ caddy.Provisioner     = (*Ledger)(nil)
	_ caddy.Validator       = (*Ledger)(nil)
	_ caddy.CleanerUpper    = (*Ledger)(nil)
	_ caddyfile.Unmarshaler = (*Ledger)(nil)
)
