package main

import (
	"encoding/json"
	"math/big"
	"slices"

	"github.com/caddy-llm/llmgateway/accounting"
)

// foreign is what one of the two additional tables knows about a model.
type foreign struct {
	id                 string
	prefix             bool // the entry is for all names that start with its id
	rates              accounting.FileRates
	tiers              []accounting.FileTier
	services           map[string]accounting.FileServiceTier
	context, maxOutput int64
	can                *[]string // nil when the table does not say
	deprecated         bool
	retires            string
}

// table maps vendors to their models by name in lower case.
type table struct {
	name    string
	vendors map[string]map[string]foreign
	names   map[string]string // of vendors, for people
}

// put adds a model. The first entry of a name stays.
func (t *table) put(vendor, key string, f foreign) {
	if t.vendors[vendor] == nil {
		t.vendors[vendor] = map[string]foreign{}
	}
	if _, taken := t.vendors[vendor][key]; !taken {
		t.vendors[vendor][key] = f
	}
}

// dollars converts a table's number to dollars in the file's units, n × times / per, rounded to the nano-dollar: some
// tables carry the traces of floating point. Empty and malformed numbers give nothing.
func dollars(n json.Number, times, per int64) json.Number {
	r, ok := new(big.Rat).SetString(string(n))
	if !ok || n == "" {
		return ""
	}
	r.Mul(r, big.NewRat(times*int64(accounting.Dollar), per))
	half := new(big.Int).Quo(r.Denom(), big.NewInt(2))
	nano := new(big.Int).Quo(half.Add(half, r.Num()), r.Denom())
	if !nano.IsInt64() {
		return ""
	}
	return json.Number(accounting.Money(nano.Int64()).String())
}

// isZero tells an explicit zero.
func isZero(n json.Number) bool { return n == "0" }

// dropZeros removes prices of zero that stand next to an input price: there, both additional tables mean that there is
// no such thing, not that it is free.
func dropZeros(r *accounting.FileRates) {
	for c := accounting.ClassCacheRead; c <= accounting.ClassRequest; c++ {
		if isZero(*r.Field(c)) {
			*r.Field(c) = ""
		}
	}
}

// dropSame removes parts that cost what their whole does, so that above a threshold they go on doing so: the additional
// tables write most of them out once, and not for every threshold.
func dropSame(r *accounting.FileRates) {
	for part, whole := range map[accounting.Class]accounting.Class{
		accounting.ClassInputAudio: accounting.ClassInput, accounting.ClassInputImage: accounting.ClassInput,
		accounting.ClassReasoning: accounting.ClassOutput, accounting.ClassOutputAudio: accounting.ClassOutput,
	} {
		if *r.Field(part) == *r.Field(whole) {
			*r.Field(part) = ""
		}
	}
}

// sortTiers returns tiers in ascending order.
func sortTiers(m map[int64]*accounting.FileTier) []accounting.FileTier {
	var list []accounting.FileTier
	for _, t := range m {
		if t.FileRates != (accounting.FileRates{}) {
			list = append(list, *t)
		}
	}
	slices.SortFunc(list, func(a, b accounting.FileTier) int { return int(a.Above - b.Above) })
	return list
}

// valid reports whether the price would be accepted.
func (f *foreign) valid() bool {
	p := accounting.FilePrice{FileRates: f.rates, Tiers: f.tiers, ServiceTiers: f.services}
	_, err := p.Price()
	return err == nil
}
