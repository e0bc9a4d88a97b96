package accounting

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:generate go run ../internal/pricegen -genai $PRICES/genai-prices -litellm $PRICES/litellm -modelsdev $PRICES/models.dev -o prices.json

//go:embed prices.json
var embedded []byte

// Embedded returns the price book that is part of the program. It is parsed at the first call.
var Embedded = sync.OnceValues(func() (*Book, error) {
	b, err := ParseBook(embedded)
	if err != nil {
		return nil, err
	}
	return b.Named("the built-in book"), nil
})

// Book knows what models cost. It is immutable and may be used concurrently: [Book.With] and [Book.Over] make new
// books.
//
// A lookup takes microseconds. Callers that look up per request should keep the *[Model] and ask it for the price at
// the time of the request.
type Book struct {
	version string
	// layers are price files, the one that goes first in front.
	layers []layer
	// overrides go before all files, the most specific one first.
	overrides []override
}

// layer is one price file.
type layer struct {
	name    string
	version string
	vendors map[string]*vendor
}

// ParseBook reads a price file; see [File] for the format. Every price in it is checked.
func ParseBook(data []byte) (*Book, error) {
	f, err := decodeFile(data)
	if err != nil {
		return nil, err
	}
	l := make(map[string]*vendor, len(f.Vendors))
	for i := range f.Vendors {
		v := &f.Vendors[i]
		if v.ID == "" || v.ID != vendorID(v.ID) {
			return nil, fmt.Errorf("price file: vendor %q must be named %q", v.ID, vendorID(v.ID))
		}
		if l[v.ID] != nil {
			return nil, fmt.Errorf("price file: vendor %q is listed twice", v.ID)
		}
		if l[v.ID], err = newVendor(v); err != nil {
			return nil, fmt.Errorf("price file: %w", err)
		}
	}
	for _, v := range l {
		for _, id := range v.fallback {
			if l[id] == nil {
				return nil, fmt.Errorf("price file: %s falls back to %q, which is not listed", v.id, id)
			}
		}
	}
	version := strings.TrimPrefix(f.Date+"-"+digest(data), "-")
	return &Book{version: version, layers: []layer{{version: version, vendors: l}}}, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:4])
}

// Version names the prices: it changes whenever any of them does. The embedded book's is its date and a hash.
func (b *Book) Version() string { return b.version }

// Named returns a book whose price file [Book.Explain] calls by a name.
func (b *Book) Named(name string) *Book {
	out := *b
	out.layers = slices.Clone(b.layers)
	out.layers[0].name = name
	return &out
}

// Over returns a book that looks into b first and into base for what b does not know. This is how a price file of the
// configuration goes on top of the embedded book.
func (b *Book) Over(base *Book) *Book {
	return &Book{
		version:   base.version + "+" + b.version,
		layers:    slices.Concat(b.layers, base.layers),
		overrides: mergeOverrides(base.overrides, b.overrides),
	}
}

// Lookup returns the price of a vendor's model at a time, and whether it is known. Vendor is the vendor's name in the
// price book or an alias of it.
func (b *Book) Lookup(vendor, model string, at time.Time) (*Price, bool) {
	m, ok := b.Find(vendor, vendor, model)
	if !ok {
		return nil, false
	}
	return m.Price(at)
}

// Find returns what the book knows about a model that a configured provider of a vendor serves. Price lines of the
// configuration may name either; either may be empty.
//
// A name that no entry matches is tried again without what does not tell models apart: the vendor's own prefix
// ("openai/gpt-5"), Amazon's resource names, and what makes it a snapshot ("-2025-08-07", "-20250929", "@20250929",
// "-latest").
func (b *Book) Find(provider, vendor, model string) (*Model, bool) {
	name, id := strings.ToLower(model), vendorID(vendor)
	h := b.find(id, name)
	if len(b.overrides) == 0 {
		return h.model(), h.vendor != nil
	}
	if o := findOverride(b.overrides, strings.ToLower(provider)+"/"+name, id+"/"+name); o != nil {
		return o.model(id, h.model()), true
	}
	return h.model(), h.vendor != nil
}

// hit is an entry that was found, and how.
type hit struct {
	layer  *layer
	vendor *vendor // nil when nothing was found
	entry  int
	name   string   // that matched
	cut    []string // what was cut off before it did
}

func (h *hit) model() *Model {
	if h.vendor == nil {
		return nil
	}
	return h.vendor.models[h.entry]
}

// find looks into all files.
func (b *Book) find(vendorID, name string) hit {
	for i := range b.layers {
		if h := b.layers[i].find(vendorID, name); h.vendor != nil {
			return h
		}
	}
	return hit{}
}

// find looks into one file.
func (l *layer) find(vendorID, name string) hit {
	v := l.vendors[vendorID]
	if vendorID == VendorHuggingFace {
		// The router serves a model from the provider named after the colon, at that provider's price.
		if model, provider, ok := strings.Cut(name, ":"); ok {
			if routed := l.vendors[VendorHuggingFace+"_"+provider]; routed != nil {
				v, name = routed, model
			}
		}
	}
	if v == nil {
		return hit{}
	}
	h := hit{layer: l, name: name}
	for !l.first(v, &h) {
		shorter, what, ok := v.shorten(h.name)
		if !ok {
			return hit{}
		}
		h.name, h.cut = shorter, append(h.cut, what)
	}
	return h
}

// first looks for exactly the name in h, at the vendor and where its list falls back to.
func (l *layer) first(v *vendor, h *hit) bool {
	if i := v.find(h.name); i >= 0 {
		h.vendor, h.entry = v, i
		return true
	}
	for _, id := range v.fallback {
		if i := l.vendors[id].find(h.name); i >= 0 {
			h.vendor, h.entry = l.vendors[id], i
			return true
		}
	}
	return false
}

// Models returns the public names of a vendor's models, sorted, without deprecated ones.
func (b *Book) Models(vendor string) []string {
	id := vendorID(vendor)
	var names []string
	for _, l := range b.layers {
		if v := l.vendors[id]; v != nil {
			names = append(names, v.listed...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Vendors returns the names of all price lists, sorted.
func (b *Book) Vendors() []string {
	var ids []string
	for _, l := range b.layers {
		for id := range l.vendors {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
