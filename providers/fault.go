package providers

import "time"

// Class is what went wrong with an attempt, in the words that retry_on, logs and metrics use.
type Class string

// The classes of fault.
const (
	ClassNone          Class = ""
	ClassConnect       Class = "connect"        // refused, unreachable, DNS, TLS handshake: nothing was sent
	ClassTLS           Class = "tls"            // the certificate is not to be trusted
	ClassTimeout       Class = "timeout"        // no first byte, or silence, in the time allowed
	ClassRateLimit     Class = "rate_limit"     // 429: other credential or target now, this one after a cooldown
	ClassOverloaded    Class = "overloaded"     // 503, 529
	ClassServerError   Class = "server_error"   // 500, 502, 504, broken responses
	ClassAuth          Class = "auth"           // the provider refuses our credential
	ClassBilling       Class = "billing"        // the provider account has no money left
	ClassContextLength Class = "context_length" // the conversation is too long for the model
	ClassContentFilter Class = "content_filter" // the provider's policy refuses the content
	ClassInvalid       Class = "invalid"        // the request itself is at fault
	ClassNotFound      Class = "not_found"      // the model does not exist there
	ClassCanceled      Class = "canceled"       // the client went away
	ClassInternal      Class = "internal"       // the gateway itself failed
	ClassHedged        Class = "hedged"         // canceled because another attempt at the same time was faster
)

// Billed says what is known about the vendor's bill for a failed attempt.
type Billed uint8

// The billing outcomes.
const (
	BilledNo      Billed = iota // refused before any work was done
	BilledUnknown               // the request was sent and the answer is missing
	BilledYes                   // output was generated
)

// Fault is a failed attempt.
type Fault struct {
	Class  Class
	Status int // the provider's HTTP status; 0 when there was none
	// Type, Code, Param and Message are the vendor's, cut to a sane length. Message may be shown to the client.
	Type, Code, Param, Message string
	// RetryAfter is how long the provider asked to be left alone; 0 when it did not say.
	RetryAfter time.Duration
	Billed     Billed
	// Body and ContentType are the provider's error as it came, at most 64 KiB, for clients of the same dialect.
	Body        []byte
	ContentType string
	// Dropped says that the connection was closed before a byte of the answer came. It may have been an idle one that the
	// provider had just given up: nobody can tell whether it has seen the request.
	Dropped bool
}

func (f *Fault) Error() string {
	if f.Message == "" {
		return string(f.Class)
	}
	return string(f.Class) + ": " + f.Message
}
