package accounting

import (
	"slices"
	"strings"
)

// The vendors that the gateway has a provider kind or preset for, by their names in the price book. [Book.Vendors]
// lists all that the book has a price list of.
const (
	VendorAlibaba     = "alibaba" // Model Studio, international
	VendorAnthropic   = "anthropic"
	VendorAzure       = "azure" // falls back to OpenAI's and Anthropic's lists
	VendorBedrock     = "aws"
	VendorCerebras    = "cerebras"
	VendorCohere      = "cohere"
	VendorDeepInfra   = "deepinfra"
	VendorDeepSeek    = "deepseek"
	VendorFireworks   = "fireworks"
	VendorGemini      = "google"
	VendorGroq        = "groq"
	VendorHuggingFace = "huggingface" // "<model>:<provider>" is looked up in "huggingface_<provider>"
	VendorMinimax     = "minimax"
	VendorMistral     = "mistral"
	VendorMoonshot    = "moonshotai"
	VendorNebius      = "nebius"
	VendorNovita      = "novita"
	VendorNVIDIA      = "nvidia"
	VendorOpenAI      = "openai"
	VendorOpenRouter  = "openrouter"
	VendorOVHcloud    = "ovhcloud"
	VendorPerplexity  = "perplexity"
	VendorTogether    = "together"
	VendorVertex      = "google-vertex" // falls back to Google's and Anthropic's lists
	VendorVoyage      = "voyageai"
	VendorXAI         = "x-ai"
	VendorZAI         = "zai"
	VendorZhipu       = "zhipuai"
)

// vendorAliases are other names of vendors: those of provider kinds, and what other catalogs call them.
var vendorAliases = map[string]string{
	"amazon-bedrock": VendorBedrock,
	"bedrock":        VendorBedrock,
	"dashscope":      VendorAlibaba,
	"fireworks-ai":   VendorFireworks,
	"fireworks_ai":   VendorFireworks,
	"gemini":         VendorGemini,
	"moonshot":       VendorMoonshot,
	"novita-ai":      VendorNovita,
	"qwen":           VendorAlibaba,
	"together_ai":    VendorTogether,
	"togetherai":     VendorTogether,
	"vertex":         VendorVertex,
	"vertex_ai":      VendorVertex,
	"voyage":         VendorVoyage,
	"xai":            VendorXAI,
	"zhipu":          VendorZhipu,
}

// vendorID returns the name of a vendor in the book.
func vendorID(name string) string {
	name = strings.ToLower(name)
	if id, ok := vendorAliases[name]; ok {
		return id
	}
	return name
}

// vendor is a price list made ready for lookups.
type vendor struct {
	id       string
	models   []*Model
	listed   []string // public names, in the list's order
	fallback []string
	// equals holds the first entry for each name that an entry lists literally; patterns are the entries that match
	// more than that, ascending. Together they find the first match without trying every entry.
	equals   map[string]int
	patterns []int
	matches  []*Match
	// ids is a last resort: names of entries whose own match does not cover them.
	ids map[string]int
}

// newVendor makes a price list ready for lookups.
func newVendor(f *FileVendor) (*vendor, error) {
	v := &vendor{id: f.ID, fallback: f.Fallback, equals: map[string]int{}, ids: map[string]int{}}
	for i := range f.Models {
		entry := &f.Models[i]
		m, err := newModel(f.ID, entry)
		if err != nil {
			return nil, err
		}
		id := strings.ToLower(entry.ID)
		match := entry.Match
		if match == nil {
			match = &Match{Equals: id}
		}
		names, complete := match.Names()
		for _, name := range names {
			if _, taken := v.equals[name]; !taken {
				v.equals[name] = i
			}
		}
		if !complete {
			v.patterns = append(v.patterns, i)
		}
		if _, taken := v.ids[id]; !taken {
			v.ids[id] = i
		}
		v.models, v.matches = append(v.models, m), append(v.matches, match)
		if !entry.Deprecated {
			v.listed = append(v.listed, publicName(entry.ID, match, names))
		}
	}
	slices.Sort(v.listed)
	v.listed = slices.Compact(v.listed)
	return v, nil
}

// publicName returns the name a client would use for an entry: its ID, unless the entry does not answer to it.
func publicName(id string, m *Match, names []string) string {
	if m.Matches(strings.ToLower(id)) || len(names) == 0 {
		return id
	}
	return names[0]
}

// find returns the first entry that matches name, which is in lower case.
func (v *vendor) find(name string) *Model {
	best := len(v.models)
	if i, ok := v.equals[name]; ok {
		best = i
	}
	for _, i := range v.patterns {
		if i >= best {
			break
		}
		if v.matches[i].Matches(name) {
			best = i
			break
		}
	}
	if best == len(v.models) {
		i, ok := v.ids[name]
		if !ok {
			return nil
		}
		best = i
	}
	return v.models[best]
}

// cutPrefix removes the vendor's own name, or what its API puts before names, from the front of a model's name.
func (v *vendor) cutPrefix(name string) (string, bool) {
	head, rest, ok := strings.Cut(name, "/")
	if !ok || rest == "" {
		return name, false
	}
	switch v.id {
	case VendorGemini, VendorVertex: // models/…, publishers/anthropic/models/…, google/…
		return rest, true
	}
	return rest, vendorID(head) == v.id
}

// cutSnapshot removes what names a version of a model rather than the model: a date ("-2024-08-06", "-20250929"),
// "-latest", or a version after an @.
func cutSnapshot(name string) (string, bool) {
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		return name[:i], true
	}
	if rest, ok := strings.CutSuffix(name, "-latest"); ok {
		return rest, rest != ""
	}
	for _, layout := range [...]string{"-0000-00-00", "-00000000"} {
		i := len(name) - len(layout)
		if i > 0 && looksLike(name[i:], layout) {
			return name[:i], true
		}
	}
	return name, false
}

// looksLike compares s with a layout of equal length in which 0 stands for any digit.
func looksLike(s, layout string) bool {
	for i := range len(layout) {
		digit := s[i] >= '0' && s[i] <= '9'
		if digit != (layout[i] == '0') || !digit && s[i] != layout[i] {
			return false
		}
	}
	return true
}
