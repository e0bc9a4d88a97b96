package usagedb

import (
	"slices"
	"strings"
)

// dimension is a field that attempts are grouped by and that has a column.
type dimension struct {
	field  string // of accounting.Query
	column string // of usage_log
	value  func(*row) string
}

var dimensions = [...]dimension{
	{"key", "key_id", func(r *row) string { return r.Key }},
	{"user", "user_id", func(r *row) string { return r.User }},
	{"team", "team_id", func(r *row) string { return r.Team }},
	{feature, feature, func(r *row) string { return r.feature }},
	{"provider", "provider", func(r *row) string { return r.Provider }},
	{"model", "model", func(r *row) string { return r.Model }},
	{"upstream_model", "upstream_model", func(r *row) string { return r.UpstreamModel }},
	{"dialect", "dialect", func(r *row) string { return r.Entry.Dialect }},
	{"tier", "tier", func(r *row) string { return r.Tier }},
	{"certainty", "certainty", func(r *row) string { return r.Certainty.String() }},
	{"error_class", "error_class", func(r *row) string { return r.ErrorClass }},
}

// dimensionOf returns the dimension of a field, or nil: then it is a tag.
func dimensionOf(field string) *dimension {
	for i := range dimensions {
		if dimensions[i].field == field {
			return &dimensions[i]
		}
	}
	return nil
}

// family is the roll-ups of one combination of fields.
type family struct {
	name   string // of the column field: "", "user", "user,model"
	fields []string
	group  int  // the index of its group
	hours  bool // there are sums by hour too, and not only by day and month
	tag    bool // rows exist only for attempts that have the tag
}

// group is families that are folded together.
type group struct {
	every    int64 // fold when there are so many new rows
	families []family
}

// Indices of groups.
const (
	single = iota
	pairs
)

// groups are all families but those of tags.
//
// Pairs are folded less often: among more rows more have the same pair, and writing roll-ups is what folding costs. Pairs with
// users or keys have no sums by hour, because there would be about as many as there are rows.
var groups = [...]group{
	single: {every: 1 << 13, families: singles()},
	pairs: {every: 1 << 15, families: []family{
		pair("user", "model", false),
		pair("key", "model", false),
		pair("team", "user", false),
		pair("team", "model", true),
		pair(feature, "model", true),
		pair("provider", "model", true),
		pair("team", feature, true),
		pair("provider", "error_class", true),
	}},
}

func singles() []family {
	families := []family{{group: single, hours: true}} // of everything
	for _, dim := range dimensions {
		families = append(families, family{name: dim.field, fields: []string{dim.field}, group: single, hours: true})
	}
	return families
}

func pair(a, b string, hours bool) family {
	return family{name: a + "," + b, fields: []string{a, b}, group: pairs, hours: hours}
}

// familyOf returns the roll-ups that know a set of fields, if there are any.
func familyOf(fields []string) (family, bool) {
	for _, g := range groups {
		for _, f := range g.families {
			if len(f.fields) == len(fields) && !slices.ContainsFunc(fields, func(s string) bool { return !slices.Contains(f.fields, s) }) {
				return f, true
			}
		}
	}
	if len(fields) == 1 && !reserved(fields[0]) {
		return family{name: fields[0], fields: fields, group: single, hours: true, tag: true}, true
	}
	return family{}, false
}

// cell names a row of the roll-ups.
type cell struct {
	field string
	start int64 // Unix seconds
	value [2]string
}

func compareCells(a, b cell) int {
	if c := strings.Compare(a.field, b.field); c != 0 {
		return c
	}
	if a.start != b.start {
		if a.start < b.start {
			return -1
		}
		return 1
	}
	if c := strings.Compare(a.value[0], b.value[0]); c != 0 {
		return c
	}
	return strings.Compare(a.value[1], b.value[1])
}

// rollup is sums in memory, of one level.
type rollup map[cell]*measures

func (r rollup) add(c cell, m *measures, sign int64) {
	sum := r[c]
	if sum == nil {
		sum = new(measures)
		r[c] = sum
	}
	sum.add(m, sign)
}

// addRow adds sign × an attempt to all families of a group, by hour.
func (r rollup) addRow(g int, x *row, sign int64) error {
	var m measures
	m.set(&x.Entry)
	for i, v := range m {
		m[i] = bounded(v)
	}
	start := hours.floor(x.Time.Unix())
	for i := range groups[g].families {
		f := &groups[g].families[i]
		c := cell{field: f.name, start: start}
		for k, name := range f.fields {
			c.value[k] = dimensionOf(name).value(x)
		}
		r.add(c, &m, sign)
	}
	if g != single || x.tags == noTags {
		return nil
	}
	tags, err := decodeTags(x.tags, "")
	if err != nil {
		return err
	}
	for name, value := range tags {
		if !reserved(name) {
			r.add(cell{field: name, start: start, value: [2]string{value, ""}}, &m, sign)
		}
	}
	return nil
}

// reserved reports whether a name cannot be a tag's in a report.
func reserved(name string) bool {
	if name == "" || name == feature || strings.Contains(name, ",") || dimensionOf(name) != nil {
		return true
	}
	_, isTime := units[name]
	return isTime
}

// coarser returns the sums by day of sums by hour, or those by month of those by day.
func (r rollup) coarser(to level) rollup {
	out := make(rollup, len(r)/2)
	for c, m := range r {
		c.start = to.floor(c.start)
		out.add(c, m, 1)
	}
	return out
}

// sorted returns the cells in the order of the primary key, which is also the order in which everyone locks them. What adds
// nothing is left out.
func (r rollup) sorted(keep func(cell) bool) []cell {
	cells := make([]cell, 0, len(r))
	for c, m := range r {
		if *m != (measures{}) && keep(c) {
			cells = append(cells, c)
		}
	}
	slices.SortFunc(cells, compareCells)
	return cells
}

// withoutHours are the names of families that have no sums by hour.
var withoutHours = func() map[string]bool {
	names := map[string]bool{}
	for _, g := range groups {
		for _, f := range g.families {
			if !f.hours {
				names[f.name] = true
			}
		}
	}
	return names
}()
