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

// find returns the first entry that matches name, which is in lower case, or -1.
func (v *vendor) find(name string) int {
	best := len(v.models)
	if i, ok := v.equals[name]; ok {
		best = i
	}
	for _, i := range v.patterns {
		if i >= best {
			break
		}
		if v.matches[i].Matches(name) {
			return i
		}
	}
	if best < len(v.models) {
		return best
	}
	if i, ok := v.ids[name]; ok {
		return i
	}
	return -1
}
