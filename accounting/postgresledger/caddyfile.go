package postgresledger

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/accounting/dbledger"
)

// UnmarshalCaddyfile sets up the ledger from Caddyfile tokens. Syntax:
//
//	ledger postgres <dsn> {
//		password   <password>
//		max_conns  <number>
//		outbox     <folder>
//		durability process|power|async
//		on_failure buffer|refuse
//		retention  <duration>|forever
//		max_outbox <size>
//	}
func (l *Ledger) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if !d.AllArgs(&l.DSN) {
		return d.ArgErr()
	}
	if l.DSN == "" {
		return d.Err("the dsn is empty")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := l.unmarshalOption(d); err != nil {
			return err
		}
	}
	return nil
}

func (l *Ledger) unmarshalOption(d *caddyfile.Dispenser) error {
	var v string
	switch option := d.Val(); option {
	case "password":
		if err := dbledger.Once(d, &l.Password, &v); err != nil {
			return err
		}
		l.Password = v
	case "outbox":
		if err := dbledger.Once(d, &l.Outbox, &v); err != nil {
			return err
		}
		l.Outbox = v
	case "max_conns":
		if err := dbledger.Once(d, &l.MaxConns, &v); err != nil {
			return err
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxMaxConns {
			return d.Errf("max_conns must be a number from 1 to %d, not '%s'", maxMaxConns, v)
		}
		l.MaxConns = n
	default:
		known, err := l.UnmarshalOption(d)
		if err != nil {
			return err
		}
		if !known {
			return d.Errf("unrecognized ledger option '%s'; known are password, max_conns, outbox, %s", option, dbledger.OptionNames)
		}
	}
	return nil
}
