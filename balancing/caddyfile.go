package balancing

import "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

// parseBare parses a policy that has no options.
func parseBare(d *caddyfile.Dispenser) error {
	d.Next() // consume policy name
	if d.NextArg() {
		return d.ArgErr()
	}
	return refuseBlock(d)
}

// refuseBlock reports a block where there is nothing to put into one. Unlike an ignored block, that shows a
// misunderstanding to the one who can clear it up.
func refuseBlock(d *caddyfile.Dispenser) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		return d.Errf("unrecognized balancing policy option '%s': the policy takes no block", d.Val())
	}
	return nil
}
