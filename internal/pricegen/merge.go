package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/accounting"
)

// extraFallback are the fallbacks of vendors that genai-prices has no list of.
var extraFallback = map[string][]string{
	accounting.VendorVertex: {accounting.VendorGemini, accounting.VendorAnthropic},
}

// merge adds to the base what the other tables know, in order of preference.
func merge(base []accounting.FileVendor, tables ...*table) []accounting.FileVendor {
	index := map[string]int{}
	for i := range base {
		index[base[i].ID] = i
	}
	for _, t := range tables {
		for _, id := range slices.Sorted(maps.Keys(t.vendors)) {
			if _, ok := index[id]; !ok {
				index[id] = len(base)
				base = append(base, accounting.FileVendor{ID: id, Name: t.names[id], Fallback: extraFallback[id]})
			}
		}
	}
	own := make([]int, len(base)) // how many entries each vendor has of its own
	for i := range base {
		own[i] = len(base[i].Models)
		for j := range base[i].Models {
			enrich(&base[i].Models[j], base[i].ID, tables)
		}
	}
	for _, t := range tables {
		for i := range base {
			v := &base[i]
			lists := []*accounting.FileVendor{v}
			for _, id := range v.Fallback {
				lists = append(lists, &base[index[id]])
			}
			add(v, lists, t, tables)
		}
	}
	for i := range base {
		added := base[i].Models[own[i]:]
		slices.SortFunc(added, func(a, b accounting.FileModel) int {
			switch {
			case a.Match == nil && b.Match == nil:
				return cmp.Compare(strings.ToLower(a.ID), strings.ToLower(b.ID))
			case a.Match == nil:
				return -1
			case b.Match == nil:
				return 1
			}
			// Of two prefixes the longer one has to be tried first.
			return cmp.Or(cmp.Compare(len(b.ID), len(a.ID)), cmp.Compare(a.ID, b.ID))
		})
	}
	slices.SortFunc(base, func(a, b accounting.FileVendor) int { return cmp.Compare(a.ID, b.ID) })
	return base
}

// add appends those models of a table that no list of the vendor matches yet.
func add(v *accounting.FileVendor, lists []*accounting.FileVendor, t *table, all []*table) {
	models := t.vendors[v.ID]
	var added []accounting.FileModel // apart, so that an added prefix does not hide longer ones
	for _, key := range slices.Sorted(maps.Keys(models)) {
		f := models[key]
		if slices.ContainsFunc(lists, func(l *accounting.FileVendor) bool { return listed(l, key) }) {
			continue
		}
		m := accounting.FileModel{ID: f.id}
		if f.prefix {
			m.Match = &accounting.Match{StartsWith: key}
		}
		if f.rates != (accounting.FileRates{}) && f.valid() {
			m.Prices = []accounting.FilePrice{{FileRates: f.rates, Tiers: f.tiers, ServiceTiers: f.services}}
		}
		addTiers(&m, v.ID, all)
		enrich(&m, v.ID, all)
		if len(m.Prices) == 0 && m.Can == nil {
			continue // nothing is known of it that would be of use
		}
		added = append(added, m)
	}
	v.Models = append(v.Models, added...)
}

// listed reports whether an entry of the list is for a name.
func listed(v *accounting.FileVendor, name string) bool {
	return slices.ContainsFunc(v.Models, func(m accounting.FileModel) bool {
		if m.Match != nil && m.Match.Matches(name) {
			return true
		}
		return strings.ToLower(m.ID) == name
	})
}

// addTiers gives an entry without long-context prices those of a table that has the same price below them. Entries of
// the base are left as they are.
func addTiers(m *accounting.FileModel, vendor string, tables []*table) {
	for i := range m.Prices {
		for _, t := range slices.Backward(tables) {
			for _, f := range t.candidates(vendor, m) {
				if _, ok := agrees(&m.Prices[i], &f); ok && len(m.Prices[i].Tiers) == 0 {
					m.Prices[i].Tiers = f.tiers
				}
			}
		}
	}
}

// enrich completes an entry with what the tables know of it.
func enrich(m *accounting.FileModel, vendor string, tables []*table) {
	for _, t := range tables {
		found := t.candidates(vendor, m)
		if len(found) == 0 {
			continue
		}
		f := found[0]
		m.Context = cmp.Or(m.Context, f.context)
		m.MaxOutput = cmp.Or(m.MaxOutput, f.maxOutput)
		m.Retires = cmp.Or(m.Retires, f.retires)
		m.Deprecated = m.Deprecated || f.deprecated
		if m.Can == nil {
			m.Can = f.can
		}
	}
	for i := range m.Prices {
		p := &m.Prices[i]
		p.Extra = findExtra(p, m, vendor, tables)
		if vendor != accounting.VendorAnthropic && strings.Contains(strings.ToLower(m.ID), "claude") {
			p.Extra = resell(p, p.Extra, tables)
		}
		if p.ServiceTiers == nil {
			p.ServiceTiers = findServiceTiers(p, m, vendor, tables)
		}
	}
}

// findExtra returns the first extra that any table has for a price. It starts from the end, where the table with the
// most price classes is.
func findExtra(p *accounting.FilePrice, m *accounting.FileModel, vendor string, tables []*table) *accounting.FileExtra {
	for _, t := range slices.Backward(tables) {
		for _, f := range t.candidates(vendor, m) {
			if x := extra(p, &f, t.name); x != nil {
				return x
			}
		}
	}
	return nil
}

// resell adds the price of writing to a cache for an hour to one of Anthropic's models that somebody else sells: where all else
// costs what it does at Anthropic, this does, too. Without it, it would cost as little as writing for five minutes.
func resell(p *accounting.FilePrice, x *accounting.FileExtra, tables []*table) *accounting.FileExtra {
	if p.CacheWrite1h != "" || x != nil && x.CacheWrite1h != "" {
		return x
	}
	for _, t := range slices.Backward(tables) {
		if x != nil && x.Source != t.name {
			continue
		}
		models := t.vendors[accounting.VendorAnthropic]
		for _, name := range slices.Sorted(maps.Keys(models)) {
			f := models[name]
			own := extra(p, &f, t.name)
			if own == nil || own.CacheWrite1h == "" || p.CacheRead != f.rates.CacheRead || p.CacheWrite != f.rates.CacheWrite {
				continue
			}
			if x == nil {
				x = &accounting.FileExtra{Source: t.name}
			}
			x.CacheWrite1h = own.CacheWrite1h
			for _, tier := range own.Tiers {
				if tier.CacheWrite1h != "" {
					x.Tiers = setTier(x.Tiers, tier.Above, accounting.ClassCacheWrite1h, tier.CacheWrite1h)
				}
			}
			return x
		}
	}
	return x
}

// findServiceTiers returns the first prices of service tiers that any table has for a price.
func findServiceTiers(p *accounting.FilePrice, m *accounting.FileModel, vendor string, tables []*table) map[string]accounting.FileServiceTier {
	for _, t := range slices.Backward(tables) {
		for _, f := range t.candidates(vendor, m) {
			if _, ok := agrees(p, &f); !ok || len(f.services) == 0 {
				continue
			}
			out := map[string]accounting.FileServiceTier{}
			for name, s := range f.services {
				s.Source = t.name
				out[name] = s
			}
			return out
		}
	}
	return nil
}

// agrees reports whether a second table has the same price of input and output, and returns its long-context prices in
// step with p's. Two tables that disagree speak of different things or times: then there is nothing to take.
func agrees(p *accounting.FilePrice, f *foreign) ([]accounting.FileTier, bool) {
	if p.Input != f.rates.Input || p.Output != f.rates.Output || isZero(p.Input) || p.Input == "" {
		return nil, false
	}
	tiers := make([]accounting.FileTier, 0, len(p.Tiers))
	for _, own := range p.Tiers {
		i := slices.IndexFunc(f.tiers, func(t accounting.FileTier) bool {
			return t.Above == own.Above && t.Input == own.Input && t.Output == own.Output
		})
		if i < 0 {
			return nil, false
		}
		tiers = append(tiers, f.tiers[i])
	}
	return tiers, true
}

// extraClasses are the classes that a second table may price: those that the base often lacks although vendors do
// charge for them. Cached input is not among them, because without a price of its own it costs what input does, which
// is never too little.
var extraClasses = []accounting.Class{
	accounting.ClassCacheWrite1h, accounting.ClassInputAudio, accounting.ClassInputImage, accounting.ClassCacheReadAudio,
	accounting.ClassOutputAudio, accounting.ClassOutputImage, accounting.ClassWebSearch,
}

// extra returns the prices of classes that p has none for.
func extra(p *accounting.FilePrice, f *foreign, source string) *accounting.FileExtra {
	tiers, ok := agrees(p, f)
	if !ok {
		return nil
	}
	x := &accounting.FileExtra{Source: source}
	for _, c := range extraClasses {
		price := *f.rates.Field(c)
		if price == "" || *p.Field(c) != "" || !plausible(c, price, &f.rates) {
			continue
		}
		*x.Field(c) = price
		for _, t := range tiers {
			if price := *t.Field(c); price != "" {
				x.Tiers = setTier(x.Tiers, t.Above, c, price)
			}
		}
	}
	if x.FileRates == (accounting.FileRates{}) {
		return nil
	}
	return x
}

// plausible reports whether a part costs more than its whole, as most parts in extraClasses do. The same price needs no
// mention, and a lower one is a mistake; so are writes to a cache at many times the price of input. Cached audio costs less than audio.
func plausible(c accounting.Class, price json.Number, r *accounting.FileRates) bool {
	a, err := accounting.ParseMoney(string(price))
	if err != nil {
		return false
	}
	if c == accounting.ClassCacheReadAudio {
		audio, err := accounting.ParseMoney(string(r.InputAudio))
		return err == nil && a < audio
	}
	whole := map[accounting.Class]json.Number{
		accounting.ClassCacheWrite1h: r.Input,
		accounting.ClassInputAudio:   r.Input,
		accounting.ClassInputImage:   r.Input,
		accounting.ClassOutputAudio:  r.Output,
		accounting.ClassOutputImage:  r.Output,
	}[c]
	b, err := accounting.ParseMoney(string(cmp.Or(whole, "0")))
	if c == accounting.ClassCacheWrite1h && a > 3*b {
		return false // Anthropic takes twice the price of input
	}
	return err == nil && a > b
}

// setTier sets the price of a class above a threshold.
func setTier(tiers []accounting.FileTier, above int64, c accounting.Class, price json.Number) []accounting.FileTier {
	i := slices.IndexFunc(tiers, func(t accounting.FileTier) bool { return t.Above == above })
	if i < 0 {
		i = len(tiers)
		tiers = append(tiers, accounting.FileTier{Above: above})
	}
	*tiers[i].Field(c) = price
	return tiers
}

// candidates returns the table's models for an entry, best first: by its ID, by the names it lists, then all others it
// matches, shorter names first.
func (t *table) candidates(vendor string, m *accounting.FileModel) []foreign {
	models := t.vendors[vendor]
	names := []string{strings.ToLower(m.ID)}
	if m.Match != nil {
		literal, _ := m.Match.Names()
		names = append(names, literal...)
		literally := len(names)
		for name := range models {
			if m.Match.Matches(name) {
				names = append(names, name)
			}
		}
		slices.SortFunc(names[literally:], func(a, b string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
	}
	var found []foreign
	for _, name := range names {
		if f, ok := models[name]; ok {
			found = append(found, f)
		}
	}
	return found
}
