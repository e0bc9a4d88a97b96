package llmgateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/nearest"
)

func pricesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prices [<model>...] [--config <path> [--adapter <name>]] [--provider <name>] [--json]",
		Short: "Shows what models cost, and why",
		Long: `
Shows the price that the gateway would use for a model and where it comes from:
the price line, file and entry that matched, since when it applies, its service
tiers, and what has the price of what. Without a model it lists all that have a
price.

A model is the public name of a model line, which has the prices of its targets,
or is written <provider>/<model>, in which the provider is a configured one, a
kind or the name of a price list, or alone: then it is looked for at all of
them.

Price lines, price files and the names of providers are taken from the
configuration: the Caddyfile in the current directory unless --config names
another file.

Exits with status 3 when a model has no price.
`,
	}
	cmd.Flags().StringP("config", "c", "", "Configuration file")
	cmd.Flags().StringP("adapter", "a", "", "Name of config adapter to apply")
	cmd.Flags().StringP("provider", "p", "", "The provider, kind or price list to look in")
	cmd.Flags().BoolP("json", "", false, "Write JSON, one object per model")
	cmd.RunE = func(cmd *cobra.Command, models []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fs caddycmd.Flags) (int, error) {
			return runPrices(cmd.OutOrStdout(), fs, models)
		})(cmd, models)
	}
	return cmd
}

// exitUnpriced is the status of the command when a model has no price.
const exitUnpriced = 3

func runPrices(w io.Writer, fs caddycmd.Flags, models []string) (int, error) {
	config, _, _, err := caddycmd.LoadConfig(fs.String("config"), fs.String("adapter"))
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	q, err := newPriceQuery(config, fs.String("provider"))
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	code := caddy.ExitCodeSuccess
	var out []priceAnswer
	if len(models) == 0 {
		out = q.list()
	}
	for _, m := range models {
		found := q.explain(m)
		if !slices.ContainsFunc(found, func(a priceAnswer) bool { return a.Priced || a.Local }) {
			code, err = exitUnpriced, errors.Join(err, fmt.Errorf("no price is known of %s", m))
		}
		out = append(out, found...)
	}
	if fs.Bool("json") {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		for i := range out {
			if err := enc.Encode(&out[i]); err != nil {
				return caddy.ExitCodeFailedQuit, err
			}
		}
		return code, err
	}
	if len(models) == 0 {
		printPriceList(w, out)
		return code, nil
	}
	for i := range out {
		out[i].print(w)
	}
	return code, err
}

// priceSource is a place where models have prices: a configured provider, a kind or a price list.
type priceSource struct {
	name   string
	vendor string // in the price book; empty where there is no list
	local  bool   // on the user's own machines
}

// priceQuery answers questions about prices.
type priceQuery struct {
	book       *accounting.Book
	configured []priceSource
	// others are what a question may name besides: kinds and price lists.
	others   []priceSource
	provider *priceSource        // that --provider names
	vendors  []string            // that the book has a price list of
	public   map[string][]string // the targets and fallbacks of public names
	now      time.Time
}

// newPriceQuery takes price files, price lines and providers from all the gateways of a configuration in JSON, which may
// be empty.
func newPriceQuery(config []byte, provider string) (*priceQuery, error) {
	book, err := accounting.Embedded()
	if err != nil {
		return nil, err
	}
	q := &priceQuery{book: book, now: time.Now(), public: map[string][]string{}}
	handlers, err := gatewaysIn(config)
	if err != nil {
		return nil, err
	}
	repl := caddy.NewReplacer()
	for _, h := range handlers {
		for _, file := range h.PriceFiles {
			path := repl.ReplaceAll(file, "")
			data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
			if err != nil {
				return nil, fmt.Errorf("prices: %w", err)
			}
			b, err := accounting.ParseBook(data)
			if err != nil {
				return nil, fmt.Errorf("prices: %s: %w", path, err)
			}
			q.book = b.Named(path).Over(q.book)
		}
		if q.book, err = q.book.With(h.Prices...); err != nil {
			return nil, err
		}
		for _, p := range h.Providers {
			kind := p.Name
			if v := vendorOf(p.ProviderRaw); v != "" {
				kind = v
			}
			q.configured = append(q.configured, kindSource(p.Name, kind))
		}
		q.publish(h.Models)
	}
	for _, kind := range kindNames() {
		q.others = append(q.others, kindSource(kind, kind))
	}
	q.vendors = q.book.Vendors()
	for _, v := range q.vendors {
		q.others = append(q.others, priceSource{name: v, vendor: v})
	}
	if provider != "" {
		if q.provider = q.source(provider); q.provider == nil {
			return nil, fmt.Errorf("there is no provider, kind or price list %q%s", provider, didYouMean(provider, q.sourceNames()))
		}
	}
	return q, nil
}

func kindSource(name, kind string) priceSource {
	d, _ := kindDefaults(kind)
	return priceSource{name: name, vendor: d.PriceBook, local: d.Local}
}

// gatewaysIn finds the handlers of this module anywhere in a configuration.
func gatewaysIn(config []byte) ([]*Handler, error) {
	var found []*Handler
	var errs []error
	var walk func(raw json.RawMessage)
	walk = func(raw json.RawMessage) {
		var members map[string]json.RawMessage
		var list []json.RawMessage
		switch {
		case json.Unmarshal(raw, &members) == nil:
			if string(members["handler"]) == `"llm_gateway"` {
				h := new(Handler)
				errs = append(errs, json.Unmarshal(raw, h))
				found = append(found, h)
				return
			}
			keys := make([]string, 0, len(members))
			for k := range members {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			for _, k := range keys {
				walk(members[k])
			}
		case json.Unmarshal(raw, &list) == nil:
			for _, item := range list {
				walk(item)
			}
		}
	}
	walk(config)
	return found, errors.Join(errs...)
}

// source finds a place by name, configured ones first.
func (q *priceQuery) source(name string) *priceSource {
	for _, list := range [][]priceSource{q.configured, q.others} {
		for i := range list {
			if strings.EqualFold(list[i].name, name) {
				return &list[i]
			}
		}
	}
	return nil
}

func (q *priceQuery) sourceNames() []string {
	var names []string
	for _, s := range slices.Concat(q.configured, q.others) {
		names = append(names, s.name)
	}
	return names
}

// publish takes in the public names, without patterns, and what they stand for. Fallbacks to other public names are left out,
// as these can be asked for.
func (q *priceQuery) publish(models []*ModelConfig) {
	isPublic := func(name string) bool {
		return slices.ContainsFunc(models, func(c *ModelConfig) bool { return c.Name == name })
	}
	for _, c := range models {
		targets := slices.DeleteFunc(slices.Clone(c.Fallbacks), isPublic)
		for _, to := range slices.Backward(c.To) {
			targets = slices.Insert(targets, 0, to.Target)
		}
		for _, t := range targets {
			if !strings.Contains(t, "/") {
				t += "/" + c.Name // a provider, asked for the same name
			}
			if !strings.Contains(t, "*") {
				q.public[c.Name] = append(q.public[c.Name], t)
			}
		}
	}
}

// explain answers for one model: once where it is clear whose it is meant to be, and else for every place that has it.
func (q *priceQuery) explain(model string) []priceAnswer {
	if q.provider != nil {
		rest, ok := strings.CutPrefix(model, q.provider.name+"/")
		if !ok {
			rest = model
		}
		return []priceAnswer{q.at(*q.provider, rest)}
	}
	targets := q.public[model]
	if len(targets) == 0 {
		return q.explainTarget(model)
	}
	var out []priceAnswer
	for _, t := range targets {
		out = append(out, q.explainTarget(t)...)
	}
	return out
}

// explainTarget answers for a model that is no public name.
func (q *priceQuery) explainTarget(model string) []priceAnswer {
	if head, rest, ok := strings.Cut(model, "/"); ok && rest != "" {
		if s := q.source(head); s != nil {
			return []priceAnswer{q.at(*s, rest)}
		}
	}
	// What no configured provider has may be what somebody thinks of adding.
	for _, places := range [][]priceSource{q.configured, q.others} {
		var out []priceAnswer
		seen := map[string]bool{}
		for _, s := range places {
			if a := q.at(s, model); a.Priced && !a.Local && !seen[s.vendor] {
				seen[s.vendor] = true
				out = append(out, a)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return []priceAnswer{q.at(priceSource{}, model)}
}

// at answers for a model at one place.
func (q *priceQuery) at(s priceSource, model string) priceAnswer {
	x := q.book.Explain(s.name, s.vendor, model)
	a := priceAnswer{Model: model, Provider: s.name, Local: s.local, Explanation: x}
	if s.name != "" {
		a.Model = s.name + "/" + model
	}
	a.listed = slices.Contains(q.vendors, x.Vendor)
	if x.Model != nil {
		a.fill(x.Model, q.now)
	}
	if !a.Priced && !a.Local {
		a.Nearest = q.nearest(s, model)
	}
	return a
}

// nearest returns names that do have a price.
func (q *priceQuery) nearest(s priceSource, model string) []string {
	const most = 3
	if s.name != "" {
		return nearest.Names(model, q.book.Models(s.vendor), most)
	}
	var names []string
	places := q.configured
	if len(places) == 0 {
		places = q.others
	}
	for _, s := range places {
		names = append(names, q.book.Models(s.vendor)...)
	}
	return nearest.Names(model, names, most)
}

// list answers for every model that has a price.
func (q *priceQuery) list() []priceAnswer {
	places := q.configured
	if q.provider != nil {
		places = []priceSource{*q.provider}
	} else if len(places) == 0 {
		places = q.others
	}
	var out []priceAnswer
	seen := map[string]bool{}
	for _, s := range places {
		if seen[s.vendor] && len(q.configured) == 0 {
			continue // a kind and its price list
		}
		seen[s.vendor] = true
		for _, m := range q.book.Models(s.vendor) {
			if a := q.at(s, m); a.Priced {
				out = append(out, a)
			}
		}
	}
	return out
}
