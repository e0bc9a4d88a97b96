package accounting

import (
	"fmt"
	"strings"
	"time"
)

// Capability is a set of things that a model can do.
type Capability uint8

// The capabilities.
const (
	Tools     Capability = 1 << iota // calls functions
	Vision                           // reads images
	Reasoning                        // thinks before it answers
	PDF                              // reads PDF files
	Audio                            // hears or speaks
)

// capabilityNames are the names in price files, by bit.
var capabilityNames = [...]string{"tools", "vision", "reasoning", "pdf", "audio"}

// Has reports whether all of x are in c.
func (c Capability) Has(x Capability) bool { return c&x == x }

// String lists the capabilities: "tools vision".
func (c Capability) String() string {
	var names []string
	for i, name := range capabilityNames {
		if c>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// Info is what the book knows about a model besides its price.
type Info struct {
	// ID is the model's public name; empty where nothing but a price line for any number of models speaks of it.
	ID string
	// Vendor is the price list the model was found in. It may be another than was asked for, where one vendor sells
	// the models of another.
	Vendor string
	// ContextWindow and MaxOutput are in tokens; 0 when unknown.
	ContextWindow, MaxOutput int64
	// Can is what the model can do. It means something only when CanKnown is set.
	Can      Capability
	CanKnown bool
	// Deprecated says that the vendor advises against the model or has withdrawn it.
	Deprecated bool
	// Retires is when the vendor switches the model off; zero when unknown.
	Retires time.Time
}

// Model is an entry of the price book. It is immutable.
type Model struct {
	Info
	periods []period
	line    string // the pattern of the price line that it is from; empty for entries of price files
}

// ByLine reports whether the price is from a price line of the configuration.
func (m *Model) ByLine() bool { return m.line != "" }

// period is a price and when it applies.
type period struct {
	price *Price
	dated bool
	from  int64 // Unix seconds, when dated
	// start and end are seconds of the day in UTC; equal when the price applies all day.
	start, end int64
}

const daySeconds = 24 * 60 * 60

func secondOfDay(unix int64) int64 { return ((unix % daySeconds) + daySeconds) % daySeconds }

func (p *period) applies(unix int64) bool {
	if p.dated && unix < p.from {
		return false
	}
	now := secondOfDay(unix)
	switch {
	case p.start == p.end:
		return true
	case p.start < p.end:
		return p.start <= now && now < p.end
	default:
		return now >= p.start || now < p.end
	}
}

// Varies reports whether the price depends on the time.
func (m *Model) Varies() bool {
	for i := range m.periods {
		if p := &m.periods[i]; p.dated || p.start != p.end {
			return true
		}
	}
	return len(m.periods) > 1
}

// Price returns the price that applies at a time, and whether there is one. It allocates nothing.
func (m *Model) Price(at time.Time) (*Price, bool) {
	unix := at.Unix()
	for i := len(m.periods) - 1; i >= 0; i-- {
		if m.periods[i].applies(unix) {
			return m.periods[i].price, true
		}
	}
	return nil, false
}

// newModel turns an entry of a price file into a model.
func newModel(vendor string, f *FileModel) (*Model, error) {
	m := &Model{Info: Info{
		ID: f.ID, Vendor: vendor, ContextWindow: f.Context, MaxOutput: f.MaxOutput,
		Deprecated: f.Deprecated, CanKnown: f.Can != nil,
	}}
	if f.ID == "" {
		return nil, fmt.Errorf("a model of %s has no id", vendor)
	}
	if f.Context < 0 || f.MaxOutput < 0 {
		return nil, fmt.Errorf("limits of %s/%s must not be negative", vendor, f.ID)
	}
	if f.Can != nil {
		for _, name := range *f.Can {
			bit := capabilityByName(name)
			if bit == 0 {
				return nil, fmt.Errorf("%s/%s: unrecognized capability %q", vendor, f.ID, name)
			}
			m.Can |= bit
		}
	}
	if f.Retires != "" {
		day, err := time.Parse(time.DateOnly, f.Retires)
		if err != nil {
			return nil, fmt.Errorf("%s/%s: retires %q is not a date like 2026-01-31", vendor, f.ID, f.Retires)
		}
		m.Retires = day
	}
	for i := range f.Prices {
		p, err := f.Prices[i].period()
		if err != nil {
			return nil, fmt.Errorf("%s/%s: %w", vendor, f.ID, err)
		}
		m.periods = append(m.periods, p)
	}
	return m, nil
}

func capabilityByName(name string) Capability {
	for i, n := range capabilityNames {
		if n == name {
			return 1 << i
		}
	}
	return 0
}
