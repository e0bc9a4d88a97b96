package providers

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// CommonOptions are the options that the block of every provider takes. A kind never gets to see them; it is told so that
// it can suggest them.
func CommonOptions() []string {
	return []string{
		"api_key", "base_url", "models", "dialect", "header_up", "transport", "lb_policy", "limit",
		"max_fails", "fail_duration", "slow_start", "unhealthy_latency", "unhealthy_request_count", "unhealthy_status",
		"health_uri", "health_interval", "health_timeout",
	}
}

// UnrecognizedOption is the error about the option that d stands at, with the option that was probably meant: one of known,
// or one that every provider has. Where none is near it lists them all.
func UnrecognizedOption(d *caddyfile.Dispenser, known ...string) error {
	all := slices.Concat(known, CommonOptions())
	if near := Nearest(d.Val(), all); near != "" {
		return d.Errf("unrecognized option '%s'; did you mean '%s'?", d.Val(), near)
	}
	return d.Errf("unrecognized option '%s'; known are %s", d.Val(), strings.Join(all, ", "))
}

// NoOptions parses the block of a provider that has no options of its own.
func NoOptions(d *caddyfile.Dispenser) error {
	d.Next() // the kind
	if d.NextArg() {
		return d.ArgErr()
	}
	if d.NextBlock(d.Nesting()) {
		return UnrecognizedOption(d)
	}
	return nil
}

// Nearest returns the candidate that is at most two edits, and fewer than half its length, away from name; empty when
// there is none. Of equally near ones it is the first in alphabetical order.
func Nearest(name string, candidates []string) string {
	best, distance := "", 3
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := editDistance(name, c); d < distance && 2*d < len(c) {
			best, distance = c, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance in bytes, by the row-wise algorithm of Wagner and Fischer (1974).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
