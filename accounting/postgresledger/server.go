package postgresledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/dbledger"
	"github.com/caddy-llm/llmgateway/accounting/usagedb"
)

const (
	connectTimeout = 5 * time.Second // unless the DSN says otherwise
	// A connection is left after a while, so that another server behind the same name, or a new password, is noticed.
	connLifetime = 30 * time.Minute
	connIdleTime = 5 * time.Minute
	application  = "caddy-llm-gateway"
)

// server is a database and how to get at it.
type server struct {
	config *pgx.ConnConfig
	conns  int
	name   string
}

// init names the server and fills in what the DSN leaves open.
func (s *server) init() {
	c := s.config
	s.name = fmt.Sprintf("%s/%s as %s", net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))), c.Database, c.User)
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	if _, ok := c.RuntimeParams["application_name"]; !ok {
		c.RuntimeParams["application_name"] = application
	}
}

// open connects, and brings the schema up to date.
func (s *server) open(ctx context.Context, logger *zap.Logger) (dbledger.Records, error) {
	db := stdlib.OpenDB(*s.config)
	db.SetMaxOpenConns(s.conns)
	db.SetMaxIdleConns(s.conns)
	db.SetConnMaxLifetime(connLifetime)
	db.SetConnMaxIdleTime(connIdleTime)
	usage, err := usagedb.Open(ctx, db, usagedb.Postgres)
	if err != nil {
		return nil, s.explain(errors.Join(err, db.Close()))
	}
	usage.OnError = func(err error) {
		logger.Warn("adding up the usage database failed", zap.String("database", s.name), zap.Error(s.explain(err)))
	}
	return &database{usage, s, db}, nil
}

// explain names the database in an error about it, and takes the password out, which no error should have.
func (s *server) explain(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if p := s.config.Password; p != "" {
		for _, form := range []string{p, url.QueryEscape(p), url.PathEscape(p), url.UserPassword("", p).String()[1:]} {
			text = strings.ReplaceAll(text, form, "[password]")
		}
	}
	return &serverError{fmt.Sprintf("the usage database %s: %s", s.name, text), err}
}

// serverError is an error whose text is another than that of its cause.
type serverError struct {
	text  string
	cause error
}

func (e *serverError) Error() string { return e.text }

// Unwrap returns the cause.
func (e *serverError) Unwrap() error { return e.cause }

// database is a database with its schema.
type database struct {
	*usagedb.DB
	server *server
	pool   *sql.DB
}

// Insert explains what went wrong.
func (d *database) Insert(ctx context.Context, entries []accounting.Entry) error {
	return d.server.explain(d.DB.Insert(ctx, entries))
}

// Sums explains what went wrong.
func (d *database) Sums(ctx context.Context, q accounting.Query) ([]accounting.Sum, error) {
	sums, err := d.DB.Sums(ctx, q)
	return sums, d.server.explain(err)
}

// Entries explains what went wrong.
func (d *database) Entries(ctx context.Context, f accounting.Filter, yield func(*accounting.Entry) error) error {
	return d.server.explain(d.DB.Entries(ctx, f, yield))
}

// Maintain has nothing to do: PostgreSQL looks after itself.
func (d *database) Maintain(context.Context) error { return nil }

// Close closes the connections.
func (d *database) Close() error { return d.pool.Close() }
