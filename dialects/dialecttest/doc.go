// Package dialecttest has what the tests of several dialects need: recorded exchanges, streams in pieces, the grammar
// of neutral events, and the comparison of a dialect's code with its page of the manual. Only tests import it.
package dialecttest
