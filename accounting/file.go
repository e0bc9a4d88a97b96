package accounting

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// FileFormat is the version of the price file format that this package reads.
const FileFormat = 1

// File is a price file: the embedded one, or one named by a prices line in the configuration. All prices are in US
// dollars, as JSON numbers or strings: per million tokens, or per call for web_search and request.
//
//	{
//	  "format": 1,
//	  "vendors": [{"id": "openai", "models": [
//	    {"id": "gpt-5", "prices": [{"input": 1.25, "cache_read": 0.125, "output": 10}], "context": 400000}
//	  ]}]
//	}
type File struct {
	// Format is the version of this format: 1.
	Format int `json:"format"`
	// Date is the day the prices were taken, as YYYY-MM-DD. It is part of the book's version.
	Date string `json:"date,omitempty"`
	// Sources are the tables that the file was derived from.
	Sources []FileSource `json:"sources,omitempty"`
	// Vendors are the price lists.
	Vendors []FileVendor `json:"vendors"`
}

// FileSource names a table that a price file was derived from.
type FileSource struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Revision string `json:"revision,omitempty"`
	Date     string `json:"date"`
	License  string `json:"license"`
	// Copyright is the notice that goes with what was taken from the table.
	Copyright string `json:"copyright,omitempty"`
}

// FileVendor is the price list of one vendor.
type FileVendor struct {
	// ID is the vendor's name in the price book, in lower case; see the Vendor constants.
	ID string `json:"id"`
	// Name is for people.
	Name string `json:"name,omitempty"`
	// Fallback are vendors in the same file whose list applies to models that this one lacks.
	Fallback []string `json:"fallback,omitempty"`
	// Models is the list. The first entry that matches a name wins.
	Models []FileModel `json:"models"`
}

// FileModel is one entry of a price list.
type FileModel struct {
	// ID is the model's public name.
	ID string `json:"id"`
	// Match says which names the entry is for. Without it, that is the ID only.
	Match *Match `json:"match,omitempty"`
	// Prices are what the model costs. The last that applies at the time of a request wins. An empty list means that
	// the price is unknown.
	Prices []FilePrice `json:"prices,omitempty"`
	// Context is the context window in tokens, MaxOutput the output limit; 0 when unknown.
	Context   int64 `json:"context,omitempty"`
	MaxOutput int64 `json:"max_output,omitempty"`
	// Can lists what the model can do: tools, vision, reasoning, pdf, audio. Without it, that is unknown.
	Can *[]string `json:"can,omitempty"`
	// Deprecated says that the vendor advises against the model or has withdrawn it.
	Deprecated bool `json:"deprecated,omitempty"`
	// Retires is the day the vendor switches the model off, as YYYY-MM-DD.
	Retires string `json:"retires,omitempty"`
}

// FilePrice is a price and when it applies.
type FilePrice struct {
	// From is the first day of the price in UTC, as YYYY-MM-DD; without it the price has always applied.
	From string `json:"from,omitempty"`
	// Daily limits the price to a time of day in UTC, as HH:MM-HH:MM. The end does not belong to it, and it may span
	// midnight.
	Daily string `json:"daily,omitempty"`
	FileRates
	// Tiers are long-context prices.
	Tiers []FileTier `json:"tiers,omitempty"`
	// Extra are prices from another table than the rest, for classes that have none above.
	Extra *FileExtra `json:"extra,omitempty"`
	// ServiceTiers are the prices of service tiers: batch, flex, priority. What they leave out is unknown: see
	// [Price.WithServiceTier].
	ServiceTiers map[string]FileServiceTier `json:"service_tiers,omitempty"`
}

// FileServiceTier is the price of a service tier.
type FileServiceTier struct {
	// Source is the name of the table, where that is another than that of the entry.
	Source string `json:"source,omitempty"`
	FileRates
	// Tiers are the long-context prices in this service tier.
	Tiers []FileTier `json:"tiers,omitempty"`
}

// FileExtra are prices that were added to an entry from a second table.
type FileExtra struct {
	// Source is the name of the table.
	Source string `json:"source"`
	FileRates
	// Tiers are the long-context prices of these classes.
	Tiers []FileTier `json:"tiers,omitempty"`
}

// FileTier is a long-context price: it prices all tokens of requests with more than Above input tokens.
type FileTier struct {
	// The prices are for requests with more input tokens than this.
	Above int64 `json:"above"`
	FileRates
}

// FileRates are prices in dollars per million tokens, or per call for web_search and request. A missing one is
// unknown and falls back to its whole where it is a part of another; an explicit 0 is free.
type FileRates struct {
	// Text input that is neither read from nor written to a prompt cache.
	Input json.Number `json:"input,omitempty"`
	// Input read from a prompt cache. Default: the price of `input`.
	CacheRead json.Number `json:"cache_read,omitempty"`
	// Input written to a prompt cache. Default: the price of `input`.
	CacheWrite json.Number `json:"cache_write,omitempty"`
	// Input written to a prompt cache for an hour. Default: the price of `cache_write`.
	CacheWrite1h json.Number `json:"cache_write_1h,omitempty"`
	// Audio in the input. Default: the price of `input`.
	InputAudio json.Number `json:"audio_input,omitempty"`
	// Pictures in the input. Default: the price of `input`.
	InputImage json.Number `json:"image_input,omitempty"`
	// Video in the input. Default: the price of `input`.
	InputVideo json.Number `json:"video_input,omitempty"`
	// Audio read from a prompt cache. Default: the price of `audio_input` where that has one of its own, else of `cache_read`.
	CacheReadAudio json.Number `json:"cache_read_audio,omitempty"`
	// Pictures read from a prompt cache. Default: the price of `image_input` where that has one of its own, else of `cache_read`.
	CacheReadImage json.Number `json:"cache_read_image,omitempty"`
	// Visible output.
	Output json.Number `json:"output,omitempty"`
	// Output spent on thinking. Default: the price of `output`.
	Reasoning json.Number `json:"reasoning,omitempty"`
	// Audio in the output. Default: the price of `output`.
	OutputAudio json.Number `json:"audio_output,omitempty"`
	// Pictures in the output. Default: the price of `output`.
	OutputImage json.Number `json:"image_output,omitempty"`
	// A search that the provider makes, in dollars for each.
	WebSearch json.Number `json:"web_search,omitempty"`
	// The request itself, in dollars for each.
	Request json.Number `json:"request,omitempty"`
}

// Field returns where the price of a class stands.
func (f *FileRates) Field(c Class) *json.Number {
	return [numClasses]*json.Number{
		&f.Input, &f.CacheRead, &f.CacheWrite, &f.CacheWrite1h, &f.InputAudio, &f.InputImage, &f.InputVideo,
		&f.CacheReadAudio, &f.CacheReadImage,
		&f.Output, &f.Reasoning, &f.OutputAudio, &f.OutputImage, &f.WebSearch, &f.Request,
	}[c]
}

// rates reads the prices.
func (f *FileRates) rates() (r Rates, err error) {
	for c := range numClasses {
		text := string(*f.Field(c))
		if text == "" {
			continue
		}
		nano, err := ParseMoney(text)
		if err != nil {
			return r, fmt.Errorf("price of %s: %w", c, err)
		}
		r.Set(c, int64(nano))
	}
	return r, nil
}

// addTiers adds long-context prices to those of the same thresholds, except for classes in skip.
func addTiers(to []Tier, list []FileTier, skip Classes) ([]Tier, error) {
	for i := range list {
		r, err := list[i].rates()
		if err != nil {
			return nil, fmt.Errorf("above %d tokens: %w", list[i].Above, err)
		}
		j := slices.IndexFunc(to, func(t Tier) bool { return t.Above == list[i].Above })
		if j < 0 {
			j = len(to)
			to = append(to, Tier{Above: list[i].Above})
		}
		to[j].Rates.overlay(&r, skip)
	}
	return to, nil
}

// Price turns the entry into a price, checked and complete.
func (f *FilePrice) Price() (*Price, error) {
	base, err := f.rates()
	if err != nil {
		return nil, err
	}
	own := base.Known
	tiers, err := addTiers(nil, f.Tiers, 0)
	if err != nil {
		return nil, err
	}
	if f.Extra != nil {
		extra, err := f.Extra.rates()
		if err != nil {
			return nil, err
		}
		base.overlay(&extra, own)
		if tiers, err = addTiers(tiers, f.Extra.Tiers, own); err != nil {
			return nil, err
		}
	}
	p, err := NewPrice(base, tiers...)
	if err != nil {
		return nil, err
	}
	return f.addServiceTiers(p)
}

func (f *FilePrice) addServiceTiers(p *Price) (*Price, error) {
	for _, name := range slices.Sorted(maps.Keys(f.ServiceTiers)) {
		s := f.ServiceTiers[name]
		base, err := s.rates()
		if err != nil {
			return nil, fmt.Errorf("service tier %s: %w", name, err)
		}
		tiers, err := addTiers(nil, s.Tiers, 0)
		if err != nil {
			return nil, fmt.Errorf("service tier %s: %w", name, err)
		}
		if p, err = p.WithServiceTier(name, base, tiers...); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// period turns the entry into a price with the time it applies.
func (f *FilePrice) period() (period, error) {
	p, err := f.Price()
	if err != nil {
		return period{}, err
	}
	out := period{price: p}
	if f.From != "" {
		day, err := time.Parse(time.DateOnly, f.From)
		if err != nil {
			return period{}, fmt.Errorf("from %q is not a date like 2026-01-31", f.From)
		}
		out.from, out.dated = day.Unix(), true
	}
	if f.Daily != "" {
		start, end, _ := strings.Cut(f.Daily, "-")
		a, errA := time.Parse("15:04", start)
		b, errB := time.Parse("15:04", end)
		if errA != nil || errB != nil || a.Equal(b) {
			return period{}, fmt.Errorf("daily %q is not a time of day like 08:30-16:00", f.Daily)
		}
		out.start, out.end = secondOfDay(a.Unix()), secondOfDay(b.Unix())
	}
	return out, nil
}

// decodeFile reads a price file strictly: a misspelt member is an error, because it would be a price gone missing.
func decodeFile(data []byte) (*File, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var f File
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("price file: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("price file: something follows the document")
	}
	if f.Format != FileFormat {
		return nil, fmt.Errorf("price file: format %d is not supported, only %d is", f.Format, FileFormat)
	}
	return &f, nil
}
