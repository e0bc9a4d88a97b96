package chatcompletions

// maxOpen is how many calls of one turn can be answered by results that do not say which call they belong to. Models
// make a few calls at once, and no vendor lets a request have more than some hundred tools.
const maxOpen = 256

// callLog knows the tool calls of the conversation so far.
type callLog struct {
	// open are the calls of the last turn that no result has answered yet, in order: sloppy clients and the legacy
	// function role do not say which call a result belongs to.
	open []openCall
	// names are the tool names of all calls by ID.
	names map[string]string
	made  int // IDs made up for calls without one
}

type openCall struct{ id, name string }

// turn begins a turn of the assistant: what was not answered before it never will be.
func (l *callLog) turn() { l.open = l.open[:0] }

func (l *callLog) log(id, name string) {
	if l.names == nil {
		l.names = make(map[string]string)
	}
	l.names[id] = name
	if len(l.open) < maxOpen {
		l.open = append(l.open, openCall{id, name})
	}
}

// answer takes the first open call that a result fits to and returns its ID. A result without ID fits by the name of
// its tool; one that has neither fits to any call. A result for a call that is not open keeps the ID that it came with.
func (l *callLog) answer(id, name string) string {
	for i, c := range l.open {
		if id != "" && c.id == id || id == "" && (name == "" || c.name == name) {
			l.open = append(l.open[:i], l.open[i+1:]...)
			return c.id
		}
	}
	return id
}
