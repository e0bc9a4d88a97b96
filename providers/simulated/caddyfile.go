package simulated

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
)

// options are those of the kind.
var options = []string{"latency", "jitter", "slow", "tokens_per_second", "fail", "cut", "stall", "down", "seed"}

// UnmarshalCaddyfile parses what the kind adds to a provider block:
//
//	simulated {
//		latency           <duration>
//		jitter            <percent>
//		slow              <percent> <duration>
//		tokens_per_second <number>
//		fail              [<percent>] <class> [retry_after <duration>] [after <n>]
//		cut               [<percent>] [after <n>]
//		stall             [<percent>] [after <n>] [for <duration>]
//		down              [<class>] [every <duration> for <duration>]
//		seed              <number>
//	}
//
// fail, cut and stall may stand several times. With 0% they are as good as not there, so that a percentage may come from
// the environment.
func (p *Provider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the kind
	if d.NextArg() {
		return d.ArgErr()
	}
	seen := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		repeats := option == "fail" || option == "cut" || option == "stall"
		if seen[option] && !repeats {
			return d.Errf("%s already specified", option)
		}
		seen[option] = true
		if err := p.parseOption(d, option); err != nil {
			return err
		}
		if err := p.checkFaults(); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

func (p *Provider) parseOption(d *caddyfile.Dispenser, option string) error {
	switch option {
	case "latency":
		return p.parseLatency(d)
	case "jitter":
		return p.parseJitter(d)
	case "slow":
		return p.parseSlow(d)
	case "tokens_per_second":
		return p.parseSpeed(d)
	case "fail":
		return p.parseFail(d)
	case "cut":
		return p.parseCut(d)
	case "stall":
		return p.parseStall(d)
	case "down":
		return p.parseDown(d)
	case "seed":
		return p.parseSeed(d)
	}
	return providers.UnrecognizedOption(d, options...)
}

func (p *Provider) parseLatency(d *caddyfile.Dispenser) error {
	var arg string
	if !d.AllArgs(&arg) {
		return d.ArgErr()
	}
	latency, err := caddy.ParseDuration(arg)
	if err != nil || latency < 0 {
		return d.Errf("bad latency '%s': want a duration of zero or more", arg)
	}
	if p.Latency = caddy.Duration(latency); latency == 0 {
		p.Latency = -1
	}
	return nil
}

func (p *Provider) parseJitter(d *caddyfile.Dispenser) error {
	var arg string
	if !d.AllArgs(&arg) {
		return d.ArgErr()
	}
	var err error
	if p.Jitter, err = parsePercent(arg); err != nil {
		return d.Errf("jitter is a part of the latency: %w", err)
	}
	if p.Jitter == 0 {
		p.Jitter = -1
	}
	return nil
}

func (p *Provider) parseSlow(d *caddyfile.Dispenser) error {
	var percent, latency string
	if !d.AllArgs(&percent, &latency) {
		return d.ArgErr()
	}
	v, err := parsePercent(percent)
	if err != nil {
		return d.Errf("slow: %w", err)
	}
	s := &Slow{Share: Share{v}}
	if err := parseDuration(latency, &s.Latency); err != nil {
		return d.Errf("slow: %w", err)
	}
	if v > 0 {
		p.Slow = s
	}
	return nil
}

func (p *Provider) parseSpeed(d *caddyfile.Dispenser) error {
	var arg string
	if !d.AllArgs(&arg) {
		return d.ArgErr()
	}
	speed, err := strconv.ParseFloat(arg, 64)
	if err != nil || !(speed > 0) || speed > 1e9 {
		return d.Errf("bad tokens_per_second '%s': want a number above zero", arg)
	}
	p.TokensPerSecond = speed
	return nil
}

func (p *Provider) parseFail(d *caddyfile.Dispenser) error {
	l, err := newLine(d, "fail [<percent>] <class> [retry_after <duration>] [after <n>]")
	if err != nil {
		return err
	}
	if len(l.args) == 0 {
		return l.wrong()
	}
	f := Fail{Share: l.share, Class: l.args[0]}
	l.args = l.args[1:]
	if err := l.words(map[string]func(string) error{
		"retry_after": func(v string) error { return parseDuration(v, &f.RetryAfter) },
		"after":       func(v string) error { return parseCount(v, &f.After) },
	}); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return l.wrap(err)
	}
	if !l.none {
		p.Fail = append(p.Fail, f)
	}
	return nil
}

func (p *Provider) parseCut(d *caddyfile.Dispenser) error {
	l, err := newLine(d, "cut [<percent>] [after <n>]")
	if err != nil {
		return err
	}
	c := Cut{Share: l.share}
	if err := l.words(map[string]func(string) error{
		"after": func(v string) error { return parseCount(v, &c.After) },
	}); err != nil {
		return err
	}
	if !l.none {
		p.Cut = append(p.Cut, c)
	}
	return nil
}

func (p *Provider) parseStall(d *caddyfile.Dispenser) error {
	l, err := newLine(d, "stall [<percent>] [after <n>] [for <duration>]")
	if err != nil {
		return err
	}
	s := Stall{Share: l.share}
	if err := l.words(map[string]func(string) error{
		"after": func(v string) error { return parseCount(v, &s.After) },
		"for":   func(v string) error { return parseDuration(v, &s.For) },
	}); err != nil {
		return err
	}
	if !l.none {
		p.Stall = append(p.Stall, s)
	}
	return nil
}

func (p *Provider) parseDown(d *caddyfile.Dispenser) error {
	l := &line{d: d, usage: "down [<class>] [every <duration> for <duration>]", args: d.RemainingArgs()}
	p.Down = new(Down)
	if len(l.args)%2 == 1 {
		p.Down.Class, l.args = l.args[0], l.args[1:]
	}
	if err := l.words(map[string]func(string) error{
		"every": func(v string) error { return parseDuration(v, &p.Down.Every) },
		"for":   func(v string) error { return parseDuration(v, &p.Down.For) },
	}); err != nil {
		return err
	}
	return l.wrap(p.Down.check())
}

func (p *Provider) parseSeed(d *caddyfile.Dispenser) error {
	var arg string
	if !d.AllArgs(&arg) {
		return d.ArgErr()
	}
	seed, err := strconv.ParseUint(arg, 10, 32)
	if err != nil || seed == 0 {
		return d.Errf("bad seed '%s': want a whole number from 1 to %d", arg, uint32(math.MaxUint32))
	}
	p.Seed = uint32(seed)
	return nil
}

// line is an option of several words: a percentage, where there is one, and then words with a value each.
type line struct {
	d     *caddyfile.Dispenser
	usage string
	share Share
	none  bool // the percentage is zero
	args  []string
}

// newLine reads the percentage.
func newLine(d *caddyfile.Dispenser, usage string) (*line, error) {
	l := &line{d: d, usage: usage, args: d.RemainingArgs()}
	if len(l.args) == 0 || l.args[0] == "" || !strings.Contains("0123456789.-+", l.args[0][:1]) {
		return l, nil
	}
	v, err := parsePercent(l.args[0])
	if err != nil {
		return nil, l.wrap(err)
	}
	l.share.Percent, l.none, l.args = v, v == 0, l.args[1:]
	return l, nil
}

// words reads the words and their values.
func (l *line) words(parse map[string]func(string) error) error {
	for seen := (map[string]bool{}); len(l.args) > 0; l.args = l.args[2:] {
		word := l.args[0]
		set, known := parse[word]
		if !known || seen[word] || len(l.args) < 2 {
			return l.wrong()
		}
		seen[word] = true
		if err := set(l.args[1]); err != nil {
			return l.wrap(fmt.Errorf("%s %w", word, err))
		}
	}
	return nil
}

// option is the name of the option.
func (l *line) option() string { return l.usage[:strings.IndexByte(l.usage, ' ')] }

func (l *line) wrong() error { return l.d.Errf("%s is written: %s", l.option(), l.usage) }

func (l *line) wrap(err error) error {
	if err == nil {
		return nil
	}
	return l.d.Errf("%s: %w", l.option(), err)
}

func parsePercent(s string) (float64, error) {
	number, ok := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(v >= 0 && v <= 100) {
		return 0, fmt.Errorf("'%s' is not a percentage such as 5%%", s)
	}
	return v, nil
}

func parseDuration(s string, to *caddy.Duration) error {
	v, err := caddy.ParseDuration(s)
	if err != nil || v <= 0 {
		return fmt.Errorf("'%s' is not a duration such as 30s", s)
	}
	*to = caddy.Duration(v)
	return nil
}

func parseCount(s string, to *int) error {
	v, err := strconv.Atoi(s)
	if err != nil || v < 0 || v > maxAfter {
		return fmt.Errorf("'%s' is not a whole number of at most %d", s, maxAfter)
	}
	*to = v
	return nil
}
