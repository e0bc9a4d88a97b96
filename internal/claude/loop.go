package claude

// Loop follows a conversation to find out whether it ends in the middle of a turn: the model called tools and has their
// results. The API wants such a turn to begin with thinking if the model is to think with a budget. In later steps of the
// turn the model may have gone without. The zero value is a conversation that has not begun.
type Loop struct {
	asked          bool // the user spoke last
	turn, thinking bool // the model spoke since the last question, and began with thinking
	open           bool // and now has the results of its calls
}

// Answer takes note of a message of the model, and of whether it begins with thinking.
func (l *Loop) Answer(thinking bool) {
	if !l.turn {
		l.turn, l.thinking = true, thinking
	}
	l.open, l.asked = false, false
}

// Question takes note of a message of the user, and of whether there are results in it.
func (l *Loop) Question(results bool) {
	switch {
	case results:
		l.open = l.turn
	case !l.open || !l.asked: // and not one that comes along with the results
		l.turn, l.open = false, false
	}
	l.asked = true
}

// Refused reports whether the API would refuse to think on.
func (l *Loop) Refused() bool { return l.open && !l.thinking }
