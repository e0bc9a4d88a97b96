package llmgateway

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
)

// priceAnswer is what the command says about a model.
type priceAnswer struct {
	// Model is <provider>/<model> where the provider is clear.
	Model    string `json:"model"`
	Provider string `json:"provider,omitempty"`
	// Priced says that a price is known now.
	Priced bool `json:"priced"`
	// Local says that the provider runs on the user's own machines, where what has no price is free.
	Local bool `json:"local,omitempty"`
	// Prices are all there are, of which the last that applies is in force.
	Prices      []answeredPrice        `json:"prices,omitempty"`
	Explanation accounting.Explanation `json:"why"`
	Nearest     []string               `json:"nearest,omitempty"`

	listed bool // the book has a price list of the vendor
}

// answeredPrice is one price and when it applies.
type answeredPrice struct {
	From    string `json:"from,omitempty"`
	Daily   string `json:"daily,omitempty"`
	InForce bool   `json:"in_force"`
	answeredRates
	// FallsBack says what has the price of what it is a part of.
	FallsBack map[string]string `json:"falls_back,omitempty"`
	// Unknown are the classes without any price.
	Unknown      string                   `json:"unknown,omitempty"`
	ServiceTiers map[string]answeredRates `json:"service_tiers,omitempty"`
}

// answeredRates are prices by class, as text.
type answeredRates struct {
	Rates string          `json:"rates"`
	Above []answeredAbove `json:"above,omitempty"`
}

type answeredAbove struct {
	Tokens int64  `json:"tokens"`
	Rates  string `json:"rates"`
}

func ratesOf(p *accounting.Price) answeredRates {
	a := answeredRates{Rates: p.String()}
	tiers := p.Tiers()
	for i := range tiers {
		rates := tiers[i].String()
		if tiers[i].Rates.Known&(1<<accounting.ClassInput|1<<accounting.ClassOutput) == 0 {
			rates = "unknown"
		}
		a.Above = append(a.Above, answeredAbove{tiers[i].Above, rates})
	}
	return a
}

// fill takes the prices from a model.
func (a *priceAnswer) fill(m *accounting.Model, now time.Time) {
	force, priced := m.Price(now)
	a.Priced = priced
	for _, period := range m.Periods() {
		p := period.Price
		out := answeredPrice{InForce: p == force, answeredRates: ratesOf(p), FallsBack: map[string]string{}}
		if !period.From.IsZero() {
			out.From = period.From.Format(time.DateOnly)
		}
		if period.Start != period.End {
			out.Daily = clock(period.Start) + "-" + clock(period.End) + " UTC"
		}
		var unknown accounting.Classes
		for _, c := range accounting.AllClasses() {
			if whole, ok := p.FallsBack(c); ok {
				out.FallsBack[c.String()] = whole.String()
			}
			if _, ok := p.Get(c); !ok && c != accounting.ClassRequest {
				unknown |= 1 << c
			}
		}
		out.Unknown = unknown.String()
		for _, name := range p.ServiceTiers() {
			if out.ServiceTiers == nil {
				out.ServiceTiers = map[string]answeredRates{}
			}
			s, _ := p.For(name)
			out.ServiceTiers[name] = ratesOf(s)
		}
		a.Prices = append(a.Prices, out)
	}
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

// print writes the answer for people.
func (a *priceAnswer) print(w io.Writer) {
	fmt.Fprintln(w, a.Model)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what, text string) { fmt.Fprintf(t, "  %s\t%s\n", what, text) }
	switch {
	case !a.Priced && a.Local:
		line("price", "free: it is served by your own machines")
	case !a.Priced:
		line("price", "unknown")
	}
	for i := range a.Prices {
		a.Prices[i].print(line)
	}
	line("why", a.why())
	line("version", a.Explanation.Version)
	if len(a.Nearest) > 0 {
		line("nearest", strings.Join(a.Nearest, ", "))
	}
	if !a.Priced {
		line("set one", "price "+a.Model+" input <dollars> output <dollars>    (per million tokens, in the Caddyfile)")
	}
	_ = t.Flush() // standard output may be closed
	fmt.Fprintln(w)
}

func (p *answeredPrice) print(line func(what, text string)) {
	what := "price"
	switch {
	case p.From != "" && p.Daily != "":
		what = "from " + p.From + ", " + p.Daily
	case p.From != "":
		what = "from " + p.From
	case p.Daily != "":
		what = "at " + p.Daily
	}
	note := "    (dollars per million tokens, or per call)"
	if !p.InForce {
		note = "    (not now)"
	}
	p.answeredRates.print(line, what, note)
	for _, name := range []string{accounting.TierBatch, accounting.TierFlex, accounting.TierPriority} {
		if r, ok := p.ServiceTiers[name]; ok {
			r.print(line, "tier "+name, "")
		} else if p.InForce {
			line("tier "+name, "unknown")
		}
	}
	for name, r := range p.ServiceTiers {
		if name != accounting.TierBatch && name != accounting.TierFlex && name != accounting.TierPriority {
			r.print(line, "tier "+name, "")
		}
	}
	if !p.InForce {
		return
	}
	if p.Unknown != "" {
		line("unknown", p.Unknown)
	}
	byWhole := map[string][]string{}
	for _, c := range accounting.AllClasses() {
		if whole := p.FallsBack[c.String()]; whole != "" {
			byWhole[whole] = append(byWhole[whole], c.String())
		}
	}
	for _, c := range accounting.AllClasses() {
		if parts := byWhole[c.String()]; parts != nil {
			line("like "+c.String(), strings.Join(parts, " "))
		}
	}
}

func (r *answeredRates) print(line func(what, text string), what, note string) {
	line(what, r.Rates+note)
	for _, a := range r.Above {
		line(fmt.Sprintf("  above %d", a.Tokens), a.Rates)
	}
}

// why tells where the price is from.
func (a *priceAnswer) why() string {
	x := &a.Explanation
	var b strings.Builder
	switch {
	case x.Line != "":
		fmt.Fprintf(&b, "the price line for %s", x.Line)
	case x.Entry != "":
		fmt.Fprintf(&b, "the entry %s of the price list %s in %s (%s)", x.Entry, x.List, x.Source, x.SourceVersion)
		if x.Match != "" {
			b.WriteString(", which is for " + x.Match)
		}
		if len(x.Cut) > 0 {
			fmt.Fprintf(&b, "; looked up as %s, without %s", x.Name, strings.Join(x.Cut, " and "))
		}
		if !a.Priced {
			b.WriteString("; it has no price")
		}
	case a.Provider != "" && !a.listed:
		fmt.Fprintf(&b, "no price line matches, and the book has no price list for %s", a.Provider)
	case x.Vendor == "":
		b.WriteString("no price line matches, and no price list has it")
	default:
		fmt.Fprintf(&b, "no price line matches, and no entry of the price list %s", x.Vendor)
	}
	return b.String()
}

// printPriceList writes one line per model.
func printPriceList(w io.Writer, all []priceAnswer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range all {
		for _, p := range all[i].Prices {
			if p.InForce {
				fmt.Fprintf(t, "%s\t%s\n", all[i].Model, p.Rates)
			}
		}
	}
	_ = t.Flush() // standard output may be closed
}
