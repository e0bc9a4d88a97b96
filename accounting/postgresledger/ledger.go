// Package postgresledger is a ledger in a PostgreSQL database, which several gateways may share.
package postgresledger

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/jackc/pgx/v5"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/dbledger"
)

func init() {
	caddy.RegisterModule((*Ledger)(nil))
}

const (
	defaultMaxConns = 4
	maxMaxConns     = 1000
	// patience is how long a batch of entries may take. It is short enough for a server that has stopped answering to be
	// left for the one that took its place.
	patience = 15 * time.Second
)

// Ledger keeps the record of every attempt in a PostgreSQL database, version 12 or later, and sums of them. Requests do not
// wait for it: they write to a journal on the disk, the outbox, and the database is written in the background. So the gateway
// starts, and serves, while the database is away, and what it did meanwhile follows when it is back.
//
// The tables are made by the gateway that comes first. Its role needs a schema that it can create them in.
type Ledger struct {
	// Where the database is: `postgres://user@host:5432/database?sslmode=verify-full`, or the same as `key=value` pairs. What is
	// missing is taken from PGHOST and the other variables that PostgreSQL's programs read. Placeholders are replaced.
	// Required.
	DSN string `json:"dsn,omitempty"`
	// The password, if it is neither in the DSN nor in PGPASSWORD: `{env.LEDGER_PASSWORD}` or `{file./run/secrets/ledger}` for
	// example, because what stands here is shown by Caddy's admin endpoint. Any characters may be in it.
	Password string `json:"password,omitempty"`
	// The largest number of connections. Writing takes one. Default: 4.
	MaxConns int `json:"max_conns,omitempty"`
	// The folder for entries that the database does not have yet, which belongs on a disk that outlives the process. Placeholders
	// are replaced. Gateways on one machine that use the same database may share it, and no others. Default: a folder for
	// each database in `llm_gateway/outbox` in Caddy's data folder.
	Outbox string `json:"outbox,omitempty"`

	dbledger.Base

	server *server // a pointer, which keeps the password out of what is printed of a module
}

// CaddyModule returns the Caddy module information.
func (*Ledger) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.llm_gateway.ledgers.postgres",
		New: func() caddy.Module { return new(Ledger) },
	}
}

// Provision sets up the ledger. It neither connects nor makes a file.
func (l *Ledger) Provision(ctx caddy.Context) error {
	s, dsn, err := l.parse()
	if err != nil {
		return err
	}
	outbox, err := l.outbox(s)
	if err != nil {
		return err
	}
	if literal(l.DSN, l.Password, s.config.Password) {
		ctx.Logger().Warn("the password of the usage database stands in the configuration, which Caddy's admin endpoint shows; write password {env.LEDGER_PASSWORD} or so")
	}
	l.server = s
	return l.Attach(ctx, dbledger.Database{
		Name: s.name, Access: fmt.Sprintf("%s\x00%s\x00%d", dsn, s.config.Password, s.conns), Journal: outbox,
		Open: s.open, Remote: true, Patience: patience,
	})
}

// parse reads the DSN. Its errors do not repeat anything of it.
func (l *Ledger) parse() (s *server, dsn string, err error) {
	if l.DSN == "" {
		return nil, "", errors.New("dsn is missing: write postgres://user@host:5432/database")
	}
	if l.MaxConns < 0 || l.MaxConns > maxMaxConns {
		return nil, "", fmt.Errorf("max_conns must be from 1 to %d, not %d", maxMaxConns, l.MaxConns)
	}
	if dsn, err = replace(l.DSN); err != nil {
		return nil, "", fmt.Errorf("dsn: %w", err)
	}
	config, err := pgx.ParseConfig(strings.TrimSpace(dsn))
	if err != nil {
		return nil, "", errors.New("dsn: it cannot be read; write postgres://user@host:5432/database or host=… user=… dbname=…, " +
			"with special characters of a URL escaped, and the password as an option of its own")
	}
	if l.Password != "" {
		password, err := replace(l.Password)
		if err != nil {
			return nil, "", fmt.Errorf("password: %w", err)
		}
		config.Password = strings.TrimRight(password, "\r\n") // files end with a line
	}
	s = &server{config: config, conns: l.MaxConns}
	if s.conns == 0 {
		s.conns = defaultMaxConns
	}
	s.init()
	return s, dsn, nil
}

// placeholder is one that a secret can come from.
var placeholder = regexp.MustCompile(`\{((env|file)\.[^{}]+)\}`)

// replace replaces placeholders, all of which must have a value. Its error names those that have none, and nothing else of the text:
// what looks like a placeholder may be a part of a password.
func replace(text string) (string, error) {
	r := caddy.NewReplacer()
	replaced, err := r.ReplaceOrErr(text, true, true)
	if err == nil {
		return replaced, nil
	}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if v, ok := r.GetString(m[1]); !ok || v == "" {
			return "", fmt.Errorf("%s has no value", m[0])
		}
	}
	return "", errors.New("a placeholder in it is not known; braces of a password are kept apart from it by {env.NAME}")
}

// literal reports whether the password stands in the configuration itself.
func literal(dsn, option, password string) bool {
	if password == "" || option != "" {
		return password != "" && option == password
	}
	if u, err := url.Parse(dsn); err == nil && u.User != nil {
		p, _ := u.User.Password()
		return p == password
	}
	return strings.Contains(dsn, "password") && strings.Contains(dsn, password)
}

// outbox is the folder of the journal. Every database has one of its own.
func (l *Ledger) outbox(s *server) (string, error) {
	if l.Outbox == "" {
		hash := sha256.Sum256([]byte(s.name))
		folder := fmt.Sprintf("%s-%s-%s", fileName(s.config.Host), fileName(s.config.Database), hex.EncodeToString(hash[:4]))
		return filepath.Join(caddy.AppDataDir(), "llm_gateway", "outbox", folder), nil
	}
	folder, err := caddy.NewReplacer().ReplaceOrErr(l.Outbox, true, true)
	if err != nil {
		return "", fmt.Errorf("outbox: %w", err)
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return "", fmt.Errorf("outbox: %w", err)
	}
	return folder, nil
}

// fileName replaces what not every file system has in names.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' {
			return r
		}
		return '_'
	}, strings.Trim(s, "./"))
}

// Validate checks nothing: Provision has.
func (l *Ledger) Validate() error { return nil }

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
