package accounting

import (
	"encoding/json"
	"strings"
	"time"
)

// Explanation says which price a model has and why.
type Explanation struct {
	// Asked is the name that was looked for, and Provider and Vendor where.
	Asked    string `json:"asked"`
	Provider string `json:"provider,omitempty"`
	Vendor   string `json:"vendor,omitempty"`
	// Model is what was found; nil when nothing was.
	Model *Model `json:"-"`
	// Line is the pattern of the price line that goes before everything else.
	Line string `json:"line,omitempty"`
	// Source names the price file, and SourceVersion its version. They are empty for a price line.
	Source        string `json:"source,omitempty"`
	SourceVersion string `json:"source_version,omitempty"`
	// List is the vendor whose list the entry is in, and Entry its id.
	List  string `json:"list,omitempty"`
	Entry string `json:"entry,omitempty"`
	// Match says, in JSON, which names the entry is for; empty when that is its id only.
	Match string `json:"match,omitempty"`
	// Name is what matched, after Cut was cut off the name asked for.
	Name string   `json:"name,omitempty"`
	Cut  []string `json:"cut,omitempty"`
	// Version is that of the whole book.
	Version string `json:"version"`
}

// Explain is [Book.Find] that tells how it came to its result.
func (b *Book) Explain(provider, vendor, model string) Explanation {
	name, id := strings.ToLower(model), vendorID(vendor)
	x := Explanation{Asked: model, Provider: provider, Vendor: id, Version: b.version}
	h := b.find(id, name)
	x.Model = h.model()
	if o := findOverride(b.overrides, strings.ToLower(provider)+"/"+name, id+"/"+name); o != nil {
		x.Model, x.Line, x.Name = o.model(id, x.Model), o.pattern, name
		return x
	}
	if h.vendor == nil {
		return x
	}
	entry := h.vendor.models[h.entry]
	x.Source, x.SourceVersion = h.layer.name, h.layer.version
	x.List, x.Entry, x.Name, x.Cut = h.vendor.id, entry.ID, h.name, h.cut
	if m := h.vendor.matches[h.entry]; m.Equals != strings.ToLower(entry.ID) {
		if text, err := json.Marshal(m); err == nil { // it was read from JSON
			x.Match = string(text)
		}
	}
	return x
}

// Period is a price and when it applies.
type Period struct {
	// From is the first day of the price; zero when it has always applied.
	From time.Time
	// Start and End limit the price to a time of day in UTC; equal when it applies all day.
	Start, End time.Duration
	Price      *Price
}

// Periods lists all prices of the model. The last one that applies at a time is the price then.
func (m *Model) Periods() []Period {
	out := make([]Period, len(m.periods))
	for i, p := range m.periods {
		out[i] = Period{Start: time.Duration(p.start) * time.Second, End: time.Duration(p.end) * time.Second, Price: p.price}
		if p.dated {
			out[i].From = time.Unix(p.from, 0).UTC()
		}
	}
	return out
}
