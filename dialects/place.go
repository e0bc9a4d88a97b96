package dialects

import (
	"strconv"
)

// Place is where in a request a value stands. Errors name it; it is put into words only then, which is why decoding
// passes places along and not paths.
type Place struct {
	Parent *Place
	Key    string
	Index  int // of an element, when Key is empty
}

// In is the place of a member.
func (p *Place) In(key string) Place { return Place{Parent: p, Key: key} }

// At is the place of an element.
func (p *Place) At(i int) Place { return Place{Parent: p, Index: i} }

// Path is the place in the words of the vendors' errors: messages[2].content.
func (p *Place) Path() (path string) {
	for ; p != nil; p = p.Parent {
		switch {
		case p.Key == "":
			path = "[" + strconv.Itoa(p.Index) + "]" + path
		case p.Parent == nil:
			path = p.Key + path
		default:
			path = "." + p.Key + path
		}
	}
	return path
}
