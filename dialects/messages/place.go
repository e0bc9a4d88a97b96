package messages

import "strconv"

// place is where in a request a value stands. Errors name it; it is put into words only then, which is why decoding
// passes places along and not paths.
type place struct {
	parent *place
	key    string
	index  int // of an element, when key is empty
}

// in is the place of a member.
func (p *place) in(key string) place { return place{parent: p, key: key} }

// at is the place of an element.
func (p *place) at(i int) place { return place{parent: p, index: i} }

// path is the place in the words of Anthropic's errors: messages.2.content.0.text.
func (p *place) path() (path string) {
	for ; p != nil; p = p.parent {
		name := p.key
		if name == "" {
			name = strconv.Itoa(p.index)
		}
		if path != "" {
			name += "."
		}
		path = name + path
	}
	return path
}
