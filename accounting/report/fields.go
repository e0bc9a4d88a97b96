package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/nearest"
)

const (
	// maxGroups is how many fields sums can be grouped by at once.
	maxGroups = 3
	// maxValue is the length in bytes of the longest value of a parameter.
	maxValue = 256
	// maxValues is how many values the filters of one query can have.
	maxValues = 100
	// tagPrefix goes before the name of a tag where it could be taken for something else.
	tagPrefix = "tag."
	// wellKnownTag is the one tag that needs no prefix in filters.
	wellKnownTag = "feature"
)

var (
	// fields are what entries can be told apart by, besides tags.
	fields = []string{
		"user", "team", "key", "provider", "model", "upstream_model", "dialect", "tier", "certainty", "error_class",
	}
	// times are the spans that sums can be grouped by.
	times = []string{"hour", "day", "month"}
	// certainties are the values of the field of this name.
	certainties = []string{
		accounting.Reported.String(), accounting.Estimated.String(), accounting.Unknown.String(), accounting.Void.String(),
	}
)

// parseBy reads what sums are grouped by: the names as they were written, which are those of columns, and as a [accounting.Reader]
// knows them.
func parseBy(s string) (columns, by []string, err error) {
	if s == "" {
		return nil, nil, nil
	}
	timed := ""
	for name := range strings.SplitSeq(s, ",") {
		name = strings.TrimSpace(name)
		field, err := groupField(name)
		switch {
		case err != nil:
		case slices.Contains(by, field):
			err = fmt.Errorf("%q is named twice", name)
		case len(by) == maxGroups:
			err = fmt.Errorf("sums are grouped by at most %d fields", maxGroups)
		case slices.Contains(times, field) && timed != "":
			err = fmt.Errorf("%q and %q are both times: one is enough", timed, name)
		case slices.Contains(times, field):
			timed = name
		}
		if err != nil {
			return nil, nil, &ParameterError{"by", err.Error()}
		}
		columns, by = append(columns, name), append(by, field)
	}
	return columns, by, nil
}

// groupField returns the field that a name in by stands for.
func groupField(name string) (string, error) {
	if tag, ok := strings.CutPrefix(name, tagPrefix); ok {
		return tag, checkTag(tag)
	}
	all := slices.Concat(fields, times)
	if slices.Contains(all, name) {
		return name, nil
	}
	if slices.Contains(reserved, name) {
		return "", fmt.Errorf("%q is a number; a tag of this name is written %s%s", name, tagPrefix, name)
	}
	if near := nearest.Slip(name, all); near != "" {
		return "", fmt.Errorf("there is no field %q; did you mean %q? A tag of this name is written %s%s", clip(name), near, tagPrefix, clip(name))
	}
	return name, checkTag(name)
}

func checkTag(tag string) error {
	switch {
	case tag == "":
		return fmt.Errorf("a name is empty; fields are %s and %s, and every tag", strings.Join(fields, ", "), strings.Join(times, ", "))
	case len(tag) > maxValue:
		return fmt.Errorf("the name of a tag is not longer than %d bytes", maxValue)
	case slices.Contains(fields, tag) || slices.Contains(times, tag):
		return fmt.Errorf("%q is a field and not a tag", tag)
	case strings.ContainsFunc(tag, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("{}\"\\", r) }):
		return fmt.Errorf("%q is not the name of a tag", clip(tag))
	}
	return nil
}

// filterField returns the field that a parameter filters by.
func filterField(name string, params []string) (string, error) {
	if tag, ok := strings.CutPrefix(name, tagPrefix); ok {
		if err := checkTag(tag); err != nil {
			return "", &ParameterError{clip(name), err.Error()}
		}
		return tag, nil
	}
	switch {
	case slices.Contains(fields, name), name == wellKnownTag:
		return name, nil
	case slices.Contains(times, name):
		return "", &ParameterError{name, "times are chosen with since and until"}
	}
	hint := nearest.DidYouMean(name, slices.Concat(params, fields, []string{wellKnownTag}))
	if hint == "" && checkTag(name) == nil {
		hint = "; a tag of this name is written " + tagPrefix + clip(name)
	}
	return "", &ParameterError{clip(name), "there is no such parameter" + hint}
}

// checkFilter checks the values that a field is wanted to have.
func checkFilter(field string, values []string) error {
	for _, v := range values {
		if len(v) > maxValue {
			return fmt.Errorf("a value is not longer than %d bytes", maxValue)
		}
		if field == "certainty" && !slices.Contains(certainties, v) {
			return fmt.Errorf("%q is not one of %s%s", v, strings.Join(certainties, ", "), nearest.DidYouMean(v, certainties))
		}
	}
	return nil
}

// clip keeps what somebody typed from flooding an error message.
func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}
