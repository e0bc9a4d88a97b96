package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/accounting"
)

// genaiUnits says which class and unit each of genai-prices' keys is. Keys that are not here price things that the
// gateway does not count apart: video output and citations.
var genaiUnits = map[string]struct {
	class accounting.Class
	per   int64 // dollars in the table per this many dollars in the file
}{
	"input_mtok":            {accounting.ClassInput, 1},
	"cache_read_mtok":       {accounting.ClassCacheRead, 1},
	"cache_write_mtok":      {accounting.ClassCacheWrite, 1},
	"cache_write_1h_mtok":   {accounting.ClassCacheWrite1h, 1},
	"input_audio_mtok":      {accounting.ClassInputAudio, 1},
	"input_image_mtok":      {accounting.ClassInputImage, 1},
	"input_video_mtok":      {accounting.ClassInputVideo, 1},
	"cache_audio_read_mtok": {accounting.ClassCacheReadAudio, 1},
	"cache_image_read_mtok": {accounting.ClassCacheReadImage, 1},
	"output_mtok":           {accounting.ClassOutput, 1},
	"output_reasoning_mtok": {accounting.ClassReasoning, 1},
	"output_audio_mtok":     {accounting.ClassOutputAudio, 1},
	"output_image_mtok":     {accounting.ClassOutputImage, 1},
	"web_searches_kcount":   {accounting.ClassWebSearch, 1000},
	"requests_kcount":       {accounting.ClassRequest, 1000},
}

type genaiVendor struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Fallback []string     `json:"fallback_model_providers"`
	Models   []genaiModel `json:"models"`
}

type genaiModel struct {
	ID         string            `json:"id"`
	Match      *accounting.Match `json:"match"`
	Prices     json.RawMessage   `json:"prices"`
	Context    int64             `json:"context_window"`
	Deprecated bool              `json:"deprecated"`
}

type genaiPeriod struct {
	Constraint struct {
		StartDate string `json:"start_date"`
		StartTime string `json:"start_time"`
		EndTime   string `json:"end_time"`
	} `json:"constraint"`
	Prices map[string]json.RawMessage `json:"prices"`
}

// readGenai reads genai-prices' table as of a day.
func readGenai(path, day string) ([]accounting.FileVendor, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var table []genaiVendor
	if err := json.Unmarshal(data, &table); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var vendors []accounting.FileVendor
	for _, t := range table {
		v := accounting.FileVendor{ID: t.ID, Name: t.Name, Fallback: t.Fallback}
		for _, m := range t.Models {
			model, err := m.convert(t.ID, day)
			if err != nil {
				return nil, fmt.Errorf("genai-prices: %s/%s: %w", t.ID, m.ID, err)
			}
			v.Models = append(v.Models, model)
		}
		vendors = append(vendors, v)
	}
	return vendors, nil
}

func (m *genaiModel) convert(vendor, day string) (accounting.FileModel, error) {
	out := accounting.FileModel{ID: m.ID, Match: m.Match, Context: m.Context, Deprecated: m.Deprecated}
	if m.Match.Equals == strings.ToLower(m.ID) {
		out.Match = nil
	}
	var periods []genaiPeriod
	if m.Prices[0] == '[' {
		if err := json.Unmarshal(m.Prices, &periods); err != nil {
			return out, err
		}
	} else {
		periods = make([]genaiPeriod, 1)
		if err := json.Unmarshal(m.Prices, &periods[0].Prices); err != nil {
			return out, err
		}
	}
	for _, p := range current(periods, day) {
		price, err := p.convert()
		if err != nil {
			return out, err
		}
		free := vendor == accounting.VendorOpenRouter && strings.HasSuffix(m.ID, ":free")
		switch {
		case len(p.Prices) == 0 && free: // this vendor's way of writing a price of nothing
			price.Input, price.Output = "0", "0"
		case len(p.Prices) == 0:
			continue
		}
		out.Prices = append(out.Prices, price)
	}
	return out, nil
}

// current leaves out prices that had been superseded by a day: those before the last one that had started by then and
// applies at any time of day.
func current(periods []genaiPeriod, day string) []genaiPeriod {
	first := 0
	for i, p := range periods {
		if p.Constraint.StartTime == "" && p.Constraint.StartDate <= day {
			first = i
		}
	}
	periods = slices.Clone(periods[first:])
	if len(periods) > 0 {
		periods[0].Constraint.StartDate = "" // nothing is left that it would have to be told from
	}
	return periods
}

func (p *genaiPeriod) convert() (accounting.FilePrice, error) {
	out := accounting.FilePrice{From: p.Constraint.StartDate}
	if p.Constraint.StartTime != "" {
		out.Daily = p.Constraint.StartTime[:5] + "-" + p.Constraint.EndTime[:5]
	}
	tiers := map[int64]*accounting.FileTier{}
	for key, raw := range p.Prices {
		unit, ok := genaiUnits[key]
		if !ok {
			continue
		}
		var value struct {
			Base  json.Number `json:"base"`
			Tiers []struct {
				Start int64       `json:"start"`
				Price json.Number `json:"price"`
			} `json:"tiers"`
		}
		if raw[0] == '{' {
			if err := json.Unmarshal(raw, &value); err != nil {
				return out, err
			}
		} else {
			value.Base = json.Number(raw)
		}
		*out.Field(unit.class) = dollars(value.Base, 1, unit.per)
		for _, t := range value.Tiers {
			if tiers[t.Start] == nil {
				tiers[t.Start] = &accounting.FileTier{Above: t.Start}
			}
			*tiers[t.Start].Field(unit.class) = dollars(t.Price, 1, unit.per)
		}
	}
	out.Tiers = sortTiers(tiers)
	return out, nil
}
