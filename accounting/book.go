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
var Embedded = sync.OnceValues(func() (*Book, error) { return ParseBook(embedded) })

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
type layer map[string]*vendor

// ParseBook reads a price file; see [File] for the format. Every price in it is checked.
func ParseBook(data []byte) (*Book, error) {
	f, err := decodeFile(data)
	if err != nil {
		return nil, err
	}
	l := make(layer, len(f.Vendors))
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
	return &Book{version: strings.TrimPrefix(f.Date+"-"+digest(data), "-"), layers: []layer{l}}, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:4])
}

// Version names the prices: it changes whenever any of them does. The embedded book's is its date and a hash.
func (b *Book) Version() string { return b.version }

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
// A name that no entry matches is tried again without the vendor's own prefix ("openai/gpt-5") and without what makes
// it a snapshot ("-2025-08-07", "-20250929", "@20250929", "-latest").
func (b *Book) Find(provider, vendor, model string) (*Model, bool) {
	name := strings.ToLower(model)
	id := vendorID(vendor)
	var m *Model
	for _, l := range b.layers {
		if m = l.find(id, name); m != nil {
			break
		}
	}
	if len(b.overrides) == 0 {
		return m, m != nil
	}
	o := findOverride(b.overrides, strings.ToLower(provider)+"/"+name, id+"/"+name)
	if o == nil {
		return m, m != nil
	}
	out := &Model{Info: Info{ID: model, Vendor: id}, periods: o.periods}
	if m != nil {
		out.Info = m.Info
	}
	return out, true
}

// find looks into one file.
func (l layer) find(vendorID, name string) *Model {
	v := l[vendorID]
	if vendorID == VendorHuggingFace {
		// The router serves a model from the provider named after the colon, at that provider's price.
		if model, provider, ok := strings.Cut(name, ":"); ok {
			if routed := l[VendorHuggingFace+"_"+provider]; routed != nil {
				v, name = routed, model
			}
		}
	}
	if v == nil {
		return nil
	}
	for {
		if m := l.first(v, name); m != nil {
			return m
		}
		shorter, ok := v.cutPrefix(name)
		if !ok {
			shorter, ok = cutSnapshot(name)
		}
		if !ok {
			return nil
		}
		name = shorter
	}
}

// first looks for exactly this name, at the vendor and where its list falls back to.
func (l layer) first(v *vendor, name string) *Model {
	if m := v.find(name); m != nil {
		return m
	}
	for _, id := range v.fallback {
		if m := l[id].find(name); m != nil {
			return m
		}
	}
	return nil
}

// Models returns the public names of a vendor's models, sorted, without deprecated ones.
func (b *Book) Models(vendor string) []string {
	id := vendorID(vendor)
	var names []string
	for _, l := range b.layers {
		if v := l[id]; v != nil {
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
		for id := range l {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
