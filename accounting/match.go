package accounting

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Match says which model names an entry of a price file is for. It is one of: a comparison with the name, any of
// several matches, or all of several matches. Case makes no difference. In JSON exactly one member is set:
//
//	{"or": [{"equals": "o3"}, {"starts_with": "o3-2025-"}, {"regex": "^o3-\\d+$"}]}
type Match struct {
	Equals     string  `json:"equals,omitempty"`
	StartsWith string  `json:"starts_with,omitempty"`
	EndsWith   string  `json:"ends_with,omitempty"`
	Contains   string  `json:"contains,omitempty"`
	Regex      string  `json:"regex,omitempty"` // RE2 syntax, found anywhere in the name unless anchored
	Or         []Match `json:"or,omitempty"`
	And        []Match `json:"and,omitempty"`

	compiled *regexp.Regexp
}

// UnmarshalJSON reads and prepares a match.
func (m *Match) UnmarshalJSON(b []byte) error {
	type plain Match
	if err := json.Unmarshal(b, (*plain)(m)); err != nil {
		return err
	}
	set := 0
	for _, s := range []*string{&m.Equals, &m.StartsWith, &m.EndsWith, &m.Contains} {
		if *s != "" {
			set++
			*s = strings.ToLower(*s)
		}
	}
	if m.Regex != "" {
		set++
		re, err := regexp.Compile("(?i)" + m.Regex)
		if err != nil {
			return fmt.Errorf("model name pattern: %w", err)
		}
		m.compiled = re
	}
	if len(m.Or) > 0 {
		set++
	}
	if len(m.And) > 0 {
		set++
	}
	if set != 1 {
		return fmt.Errorf("a match needs exactly one of equals, starts_with, ends_with, contains, regex, or, and")
	}
	return nil
}

// Matches reports whether name, in lower case, is matched.
func (m *Match) Matches(name string) bool {
	switch {
	case m.Equals != "":
		return name == m.Equals
	case m.StartsWith != "":
		return strings.HasPrefix(name, m.StartsWith)
	case m.EndsWith != "":
		return strings.HasSuffix(name, m.EndsWith)
	case m.Contains != "":
		return strings.Contains(name, m.Contains)
	case m.compiled != nil:
		return m.compiled.MatchString(name)
	case len(m.Or) > 0:
		for i := range m.Or {
			if m.Or[i].Matches(name) {
				return true
			}
		}
		return false
	default:
		for i := range m.And {
			if !m.And[i].Matches(name) {
				return false
			}
		}
		return len(m.And) > 0
	}
}

// Names returns the names that the match lists literally, in order. complete says that it matches nothing else.
func (m *Match) Names() (names []string, complete bool) {
	switch {
	case m.Equals != "":
		return []string{m.Equals}, true
	case len(m.Or) > 0:
		complete = true
		for i := range m.Or {
			n, all := m.Or[i].Names()
			names = append(names, n...)
			complete = complete && all
		}
		return names, complete
	default:
		return nil, false
	}
}
