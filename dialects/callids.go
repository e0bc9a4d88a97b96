package dialects

import "strconv"

// CallIDs gives the calls of a conversation IDs for a vendor that wants one for each, and each once: some clients and models
// give none, or count anew in every turn. An ID that is made up depends on what came before alone, so that it stays the same
// when the conversation goes on.
type CallIDs struct {
	// Prefix is what IDs begin with that are made for calls without one.
	Prefix string

	taken map[string]int // the number that the next one of the same ID may get
	open  []openCall
	made  int
}

// maxOpen is how many calls can wait for their results. Models make a few calls at once, and no vendor lets a request have
// more than some hundred tools.
const maxOpen = 256

// openCall is a call that no result has answered yet, with the ID that the client knows and the one that the vendor gets.
type openCall struct{ wire, id, name string }

// Call is the ID of a call: its own, unless another call had it before.
func (c *CallIDs) Call(id, name string) string {
	if c.taken == nil {
		c.taken = map[string]int{}
	}
	unique := id
	if id == "" {
		c.made++
		unique = c.Prefix + strconv.Itoa(c.made)
	}
	if n, again := c.taken[unique]; again {
		base := unique
		for ; again; n++ {
			unique = base + "_" + strconv.Itoa(n)
			_, again = c.taken[unique]
		}
		c.taken[base] = n
	}
	c.taken[unique] = 2
	if len(c.open) < maxOpen {
		c.open = append(c.open, openCall{id, unique, name})
	}
	return unique
}

// Result is the ID of the call that a result answers: the first one with that ID that is still open. Of calls without an ID
// one of the same name is preferred. A result that answers none keeps its ID.
func (c *CallIDs) Result(id, name string) string {
	at := -1
	for i := range c.open {
		if c.open[i].wire != id {
			continue
		}
		if at < 0 {
			at = i
		}
		if id != "" || c.open[i].name == name {
			at = i
			break
		}
	}
	if at < 0 {
		return id
	}
	unique := c.open[at].id
	c.open = append(c.open[:at], c.open[at+1:]...)
	return unique
}
