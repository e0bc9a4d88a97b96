package balancing

import (
	"math"
	"time"
)

// The terms of [RetryRules].
const (
	// DefaultRetries is how many tries follow the first one when lb_retries is not configured.
	DefaultRetries = 2
	// DefaultTryInterval is the base of the backoff when lb_try_interval is not configured.
	DefaultTryInterval = 250 * time.Millisecond

	maxBackoff = 4 * time.Second
	// defaultTargetTries bounds what is sent to a target that just failed.
	defaultTargetTries = 2
	// maxWait is the longest time that the gateway waits for a provider that asked for a rest. Longer ones are the
	// client's to wait for.
	maxWait = 10 * time.Second
	// minRemaining is the least time before the deadline in which an attempt is started at all.
	minRemaining = time.Second
)

// NoDeadline is the remaining time of a request that has no deadline.
const NoDeadline time.Duration = math.MaxInt64

// RetryRules say which failed attempts are followed by another one.
type RetryRules struct {
	// On are the classes of fault that are retried.
	On Classes
	// Retries is the number of tries after the first, over all targets. 0 or less: none.
	Retries int
	// TargetTries is the number of tries at one target, the first included. 0: 2.
	TargetTries int
	// TryDuration ends the starting of new tries this long after the request began. 0: no such end.
	TryDuration time.Duration
	// TryInterval is the base of the backoff before the same target is tried again. 0: no waiting.
	TryInterval time.Duration
}

// DefaultRetryRules are the rules without configuration.
func DefaultRetryRules() RetryRules {
	return RetryRules{On: DefaultRetryOn, Retries: DefaultRetries, TryInterval: DefaultTryInterval}
}

// Situation is where a request stands after a failed attempt.
type Situation struct {
	// Class is the class of the fault.
	Class string
	// Committed says that content has been written to the client. Nothing can be retried then.
	Committed bool
	// MaybeBilled says that the provider may have worked on the attempt and charge for it.
	MaybeBilled bool
	// Tries counts the attempts so far, the failed one included; TargetTries those on the target that failed.
	Tries, TargetTries int
	// OtherTarget says that another target may be used: healthy, fit and untried, fallbacks included.
	OtherTarget bool
	// OtherCredential says that the failed target has another credential that may be used.
	OtherCredential bool
	// RetryAfter is how long the provider asked to be left alone; 0 when it did not say.
	RetryAfter time.Duration
	// Elapsed is the time since the request began, Remaining that to its deadline, or NoDeadline.
	Elapsed, Remaining time.Duration
	// Expected is the usual time to the first token; 0 when it is not known.
	Expected time.Duration
	// Random is a pseudo-random number for the jitter.
	Random uint64
}

// Action is what to do next.
type Action uint8

// The actions.
const (
	Stop            Action = iota // answer the client with the fault
	OtherTarget                   // at once
	OtherCredential               // the same target with another credential, at once
	SameTarget                    // after Decision.After
)

// Reason says why no further attempt is made, for logs.
type Reason string

// The reasons.
const (
	ReasonNone         Reason = ""
	ReasonCommitted    Reason = "committed"     // the client has part of the answer
	ReasonNotRetryable Reason = "not_retryable" // another attempt would not help, or is not wanted
	ReasonExhausted    Reason = "exhausted"     // as many tries as allowed were made
	ReasonNoTarget     Reason = "no_target"     // there is nobody else, and the target must not be asked again
	ReasonNoTime       Reason = "no_time"       // an attempt could not succeed in the time left
)

// Decision is what follows a failed attempt.
type Decision struct {
	Action Action
	// After is the time to wait before SameTarget.
	After time.Duration
	// Cost is what to withdraw from the target's [RetryBudget] first; if that is refused, the decision is to stop. It
	// is 0 for other targets, which are not the ones that are struggling.
	Cost int
	// Reason is set when the action is Stop.
	Reason Reason
}

// Next decides what follows a failed attempt. It is a pure function.
func (r *RetryRules) Next(s Situation) Decision {
	if reason := r.refuse(&s); reason != ReasonNone {
		return Decision{Reason: reason}
	}
	wanted := r.On.Has(s.Class)
	switch {
	case s.OtherCredential && ofCredential(s.Class):
		return Decision{Action: OtherCredential}
	case !wanted:
		return Decision{Reason: ReasonNotRetryable}
	case s.OtherTarget:
		return Decision{Action: OtherTarget}
	}
	return r.again(&s)
}

// refuse finds a reason against any further attempt.
func (r *RetryRules) refuse(s *Situation) Reason {
	switch {
	case s.Committed:
		return ReasonCommitted
	case !r.On.Has(s.Class) && !ofCredential(s.Class):
		return ReasonNotRetryable
	case s.Tries > max(r.Retries, 0):
		return ReasonExhausted
	case !r.timeFor(s, 0):
		return ReasonNoTime
	}
	return ReasonNone
}

// again decides about another attempt on the target that failed, there being no other.
func (r *RetryRules) again(s *Situation) Decision {
	limit := r.TargetTries
	if limit <= 0 {
		limit = defaultTargetTries
	}
	switch {
	case !ofTheMoment(s.Class):
		return Decision{Reason: ReasonNoTarget}
	case s.TargetTries >= limit:
		return Decision{Reason: ReasonExhausted}
	case s.RetryAfter > maxWait:
		return Decision{Reason: ReasonNoTime}
	case s.Class == ClassRateLimit && s.RetryAfter <= 0:
		// Nobody knows how long to wait, and asking again on a guess is what rate limits are there to stop.
		return Decision{Reason: ReasonNoTarget}
	}
	after := max(s.RetryAfter, Backoff(s.TargetTries, r.TryInterval, max(maxBackoff, r.TryInterval), s.Random))
	if !r.timeFor(s, after) {
		return Decision{Reason: ReasonNoTime}
	}
	cost := 1
	if s.Class == ClassTimeout || s.MaybeBilled {
		cost = 2
	}
	return Decision{Action: SameTarget, After: after, Cost: cost}
}

// timeFor reports whether an attempt that starts after a wait may still start and has a chance to succeed.
func (r *RetryRules) timeFor(s *Situation, wait time.Duration) bool {
	if r.TryDuration > 0 && s.Elapsed+wait >= r.TryDuration {
		return false
	}
	return s.Remaining-wait >= max(minRemaining, s.Expected)
}

// ofCredential reports whether a fault is the credential's, not the target's. Another credential is then the first thing
// to try, whether or not such faults are to be carried to other targets.
func ofCredential(class string) bool {
	return class == ClassRateLimit || class == ClassAuth || class == ClassBilling
}

// ofTheMoment reports whether a fault may be gone when the same request is sent to the same target again.
func ofTheMoment(class string) bool {
	switch class {
	case ClassConnect, ClassTimeout, ClassRateLimit, ClassOverloaded, ClassServerError:
		return true
	}
	return false
}
