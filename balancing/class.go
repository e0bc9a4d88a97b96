package balancing

import (
	"fmt"
	"strings"
)

// The classes of fault, in the words that retry_on, logs and metrics use. They are plain strings, equal to those of the
// provider contract, so that this package depends on nothing.
const (
	ClassConnect       = "connect"        // refused, unreachable, DNS, TLS handshake: nothing was sent
	ClassTLS           = "tls"            // the certificate is not to be trusted
	ClassTimeout       = "timeout"        // no first byte, or silence, in the time allowed
	ClassRateLimit     = "rate_limit"     // the provider asks for fewer requests
	ClassOverloaded    = "overloaded"     // the provider has more requests than it can serve
	ClassServerError   = "server_error"   // the provider failed, or its answer is broken
	ClassAuth          = "auth"           // the provider refuses the credential
	ClassBilling       = "billing"        // the provider account has no money left
	ClassContextLength = "context_length" // the conversation is too long for the model
	ClassContentFilter = "content_filter" // the provider's policy refuses the content
	ClassInvalid       = "invalid"        // the request itself is at fault
	ClassNotFound      = "not_found"      // the model does not exist there
	ClassCanceled      = "canceled"       // the client went away
	ClassInternal      = "internal"       // the gateway itself failed
	ClassHedged        = "hedged"         // canceled because another attempt at the same time was faster
)

// retryable are the classes that retry_on may name, in the order in which errors list them.
var retryable = [...]string{
	ClassConnect, ClassTimeout, ClassRateLimit, ClassOverloaded, ClassServerError,
	ClassContextLength, ClassContentFilter, ClassAuth, ClassBilling, ClassNotFound,
}

// Classes is a set of classes of fault that may be retried.
type Classes uint16

// DefaultRetryOn are the classes that are retried when retry_on is not configured: those that are not the request's fault
// and that another moment or another target may cure.
const DefaultRetryOn Classes = 1<<5 - 1 // the first five of retryable

// ParseClasses makes a set of the words of retry_on. The error of an unknown word lists the known ones.
func ParseClasses(words ...string) (Classes, error) {
	var set Classes
	for _, w := range words {
		bit := classBit(w)
		if bit == 0 {
			return 0, fmt.Errorf("'%s' is not a class of fault that can be retried; known are %s",
				w, strings.Join(retryable[:], ", "))
		}
		set |= bit
	}
	return set, nil
}

// Has reports whether a class is in the set. An untrusted certificate is a kind of failed connection: where connect is
// retried, so is tls, at another target.
func (c Classes) Has(class string) bool {
	if class == ClassTLS {
		class = ClassConnect
	}
	return c&classBit(class) != 0
}

// String lists the classes as retry_on does.
func (c Classes) String() string {
	var words []string
	for i, w := range retryable {
		if c&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

func classBit(class string) Classes {
	for i, w := range retryable {
		if w == class {
			return 1 << i
		}
	}
	return 0
}

// verdict is what a fault says about the health of the target.
type verdict uint8

const (
	// neutral: nothing, or something that a cooldown or a quarantine takes care of.
	neutral verdict = iota
	// answered: the target works, it is the request that was refused.
	answered
	// failing: the target may be down; several in a row or a large share take it out.
	failing
	// stalling: as failing, and each request that finds it out keeps a client waiting.
	stalling
	// broken: no request can succeed until somebody repairs the target.
	broken
)

func judge(class string) verdict {
	switch class {
	case ClassConnect, ClassOverloaded, ClassServerError:
		return failing
	case ClassTimeout:
		return stalling
	case ClassTLS:
		return broken
	case ClassContextLength, ClassContentFilter, ClassInvalid, ClassNotFound:
		return answered
	}
	return neutral
}
