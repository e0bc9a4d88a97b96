package accounting

import (
	"slices"
	"strings"
)

// cut is one way to make a model's name shorter, until an entry matches: what is cut off, for people, and how.
type cut struct {
	what  string
	apply func(v *vendor, name string) (string, bool)
}

// cuts are tried in this order, the first that applies each time.
var cuts = []cut{
	{"the address", cutAddress},
	{"the vendor's prefix", (*vendor).cutPrefix},
	{"the geography", cutGeography},
	{"the variant", cutVariant},
	{"the snapshot", cutSnapshot},
}

// shorten returns a shorter name for the same model and what was cut off.
func (v *vendor) shorten(name string) (shorter, what string, ok bool) {
	for i := range cuts {
		if shorter, ok = cuts[i].apply(v, name); ok && shorter != "" {
			return shorter, cuts[i].what, true
		}
	}
	return name, "", false
}

// arnKinds are the resources of Amazon that are named after the model they are. All others (provisioned models,
// application inference profiles, imported models) have ids that say nothing.
var arnKinds = []string{"foundation-model", "inference-profile"}

// cutAddress takes the model's name out of an Amazon resource name.
func cutAddress(_ *vendor, name string) (string, bool) {
	if !strings.HasPrefix(name, "arn:") {
		return name, false
	}
	resource, model, ok := strings.Cut(name, "/")
	kind := resource[strings.LastIndexByte(resource, ':')+1:]
	return model, ok && slices.Contains(arnKinds, kind)
}

// cutPrefix removes the vendor's own name, or what its API puts before names, from the front of a model's name.
func (v *vendor) cutPrefix(name string) (string, bool) {
	head, rest, ok := strings.Cut(name, "/")
	if !ok || rest == "" {
		return name, false
	}
	switch v.id {
	case VendorGemini, VendorVertex: // models/…, publishers/anthropic/models/…, google/…
		return rest, head != "tunedmodels" && head != "endpoints"
	}
	return rest, vendorID(head) == v.id
}

// geographies begin the names of Amazon's cross-region inference profiles. They cost what the model costs in the region
// that is asked, unless they are listed apart.
var geographies = []string{"us", "us-gov", "eu", "apac", "jp", "au", "ca", "global"}

func cutGeography(v *vendor, name string) (string, bool) {
	head, rest, ok := strings.Cut(name, ".")
	return rest, ok && v.id == VendorBedrock && slices.Contains(geographies, head)
}

// routings are OpenRouter's variants that say where to look for the same model. All others, such as ":free" and
// ":online", cost something else.
var routings = []string{"nitro", "floor", "exacto"}

// cutVariant removes what chooses among equals: OpenRouter's routing, the context size of Amazon's names
// ("-v1:0:200k"), and the tag that Ollama adds when there is none.
func cutVariant(v *vendor, name string) (string, bool) {
	i := strings.LastIndexByte(name, ':')
	if i <= 0 {
		return name, false
	}
	tag := name[i+1:]
	switch v.id {
	case VendorOpenRouter:
		return name[:i], slices.Contains(routings, tag)
	case VendorBedrock:
		size, ok := strings.CutSuffix(tag, "k")
		return name[:i], ok && allDigits(size)
	}
	return name[:i], tag == "latest"
}

// cutSnapshot removes what names a version of a model rather than the model: a date ("-2024-08-06", "-20250929"),
// "-latest", a version after an @, or Google's three digits.
func cutSnapshot(v *vendor, name string) (string, bool) {
	if strings.HasPrefix(name, "ft:") {
		return name, false // a fine-tuned model does not cost what the model it was made from does
	}
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		return name[:i], true
	}
	if rest, ok := strings.CutSuffix(name, "-latest"); ok {
		return rest, rest != ""
	}
	layouts := []string{"-0000-00-00", "-00000000"}
	if v.id == VendorGemini || v.id == VendorVertex {
		layouts = append(layouts, "-000")
	}
	for _, layout := range layouts {
		i := len(name) - len(layout)
		if i > 0 && looksLike(name[i:], layout) {
			return name[:i], true
		}
	}
	return name, false
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
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
