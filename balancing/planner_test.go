package balancing

import (
	"math"
	"testing"
	"time"
)

func TestWhatFollowsAFailedAttempt(t *testing.T) {
	all, err := ParseClasses(retryable[:]...)
	if err != nil {
		t.Fatal(err)
	}
	defaults := DefaultRetryRules()
	with := func(change func(*RetryRules)) RetryRules {
		r := defaults
		change(&r)
		return r
	}
	everything := with(func(r *RetryRules) { r.On = all })
	stop := func(why Reason) Decision { return Decision{Reason: why} }
	again := func(after time.Duration, cost int) Decision {
		return Decision{Action: SameTarget, After: after, Cost: cost}
	}
	other, credential := Decision{Action: OtherTarget}, Decision{Action: OtherCredential}
	const never, full = NoDeadline, math.MaxUint64

	for _, tc := range []struct {
		name  string
		rules RetryRules
		s     Situation
		want  Decision
	}{
		{"another target is tried at once", defaults, Situation{Class: ClassServerError, Tries: 1, TargetTries: 1, OtherTarget: true, Remaining: never, Random: full}, other},
		{"an overloaded target is left for another", defaults, Situation{Class: ClassOverloaded, Tries: 1, TargetTries: 1, OtherTarget: true, RetryAfter: time.Hour, Remaining: never}, other},
		{"the only target is tried again after a backoff", defaults, Situation{Class: ClassServerError, Tries: 1, TargetTries: 1, Remaining: never, Random: full}, again(250*time.Millisecond, 1)},
		{"the backoff is jittered", defaults, Situation{Class: ClassServerError, Tries: 1, TargetTries: 1, Remaining: never, Random: 1 << 63}, again(125*time.Millisecond, 1)},
		{"the backoff doubles", with(func(r *RetryRules) { r.Retries, r.TargetTries = 9, 9 }), Situation{Class: ClassServerError, Tries: 3, TargetTries: 3, Remaining: never, Random: full}, again(time.Second, 1)},
		{"the backoff ends at four seconds", with(func(r *RetryRules) { r.Retries, r.TargetTries = 99, 99 }), Situation{Class: ClassServerError, Tries: 50, TargetTries: 50, Remaining: never, Random: full}, again(4*time.Second, 1)},
		{"a longer interval is kept", with(func(r *RetryRules) { r.TryInterval = 7 * time.Second }), Situation{Class: ClassServerError, Tries: 1, TargetTries: 1, Remaining: never, Random: full}, again(7*time.Second, 1)},
		{"a timeout costs two", defaults, Situation{Class: ClassTimeout, Tries: 1, TargetTries: 1, Remaining: never}, again(0, 2)},
		{"what may be billed costs two", defaults, Situation{Class: ClassConnect, MaybeBilled: true, Tries: 1, TargetTries: 1, Remaining: never}, again(0, 2)},

		{"nothing follows once content was written", everything, Situation{Class: ClassServerError, Committed: true, Tries: 1, TargetTries: 1, OtherTarget: true, Remaining: never}, stop(ReasonCommitted)},
		{"a canceled request is over", everything, Situation{Class: ClassCanceled, Tries: 1, OtherTarget: true, OtherCredential: true, Remaining: never}, stop(ReasonNotRetryable)},
		{"an invalid request stays invalid", everything, Situation{Class: ClassInvalid, Tries: 1, OtherTarget: true, Remaining: never}, stop(ReasonNotRetryable)},
		{"a fault of the gateway is not carried on", everything, Situation{Class: ClassInternal, Tries: 1, OtherTarget: true, Remaining: never}, stop(ReasonNotRetryable)},
		{"an unknown class is not retried", everything, Situation{Class: "gremlins", Tries: 1, OtherTarget: true, Remaining: never}, stop(ReasonNotRetryable)},
		{"a class not asked for is not retried", defaults, Situation{Class: ClassContextLength, Tries: 1, OtherTarget: true, Remaining: never}, stop(ReasonNotRetryable)},
		{"one that was asked for is", everything, Situation{Class: ClassContextLength, Tries: 1, OtherTarget: true, Remaining: never}, other},
		{"but not at the same target", everything, Situation{Class: ClassContextLength, Tries: 1, TargetTries: 1, Remaining: never}, stop(ReasonNoTarget)},
		{"refused content may go elsewhere", everything, Situation{Class: ClassContentFilter, Tries: 1, OtherTarget: true, Remaining: never}, other},
		{"a missing model may be found elsewhere", everything, Situation{Class: ClassNotFound, Tries: 1, OtherTarget: true, Remaining: never}, other},

		{"an untrusted certificate is left for another target", defaults, Situation{Class: ClassTLS, Tries: 1, OtherTarget: true, Remaining: never}, other},
		{"and never asked again", defaults, Situation{Class: ClassTLS, Tries: 1, TargetTries: 1, Remaining: never}, stop(ReasonNoTarget)},
		{"and not left when connect is not retried", with(func(r *RetryRules) { r.On = 0 }), Situation{Class: ClassTLS, Tries: 1, OtherTarget: true, Remaining: never}, stop(ReasonNotRetryable)},

		{"a rate limit is one of the credential", defaults, Situation{Class: ClassRateLimit, Tries: 1, TargetTries: 1, OtherTarget: true, OtherCredential: true, Remaining: never}, credential},
		{"a server error is not", defaults, Situation{Class: ClassServerError, Tries: 1, TargetTries: 1, OtherTarget: true, OtherCredential: true, Remaining: never}, other},
		{"a refused credential has a stand-in", defaults, Situation{Class: ClassAuth, Tries: 1, OtherCredential: true, Remaining: never}, credential},
		{"so has an empty account", defaults, Situation{Class: ClassBilling, Tries: 2, TargetTries: 2, OtherCredential: true, Remaining: never}, credential},
		{"a refused credential is not carried to other targets unasked", defaults, Situation{Class: ClassAuth, Tries: 1, OtherTarget: true, Remaining: never}, stop(ReasonNotRetryable)},
		{"it is when asked to", everything, Situation{Class: ClassAuth, Tries: 1, OtherTarget: true, Remaining: never}, other},
		{"it is never shown to the same target twice", everything, Situation{Class: ClassAuth, Tries: 1, TargetTries: 1, Remaining: never}, stop(ReasonNoTarget)},
		{"stand-ins count as tries", defaults, Situation{Class: ClassAuth, Tries: 3, OtherCredential: true, Remaining: never}, stop(ReasonExhausted)},

		{"a short rest is waited for", defaults, Situation{Class: ClassRateLimit, Tries: 1, TargetTries: 1, RetryAfter: 2 * time.Second, Remaining: never}, again(2*time.Second, 1)},
		{"a rest shorter than the backoff does not shorten it", defaults, Situation{Class: ClassRateLimit, Tries: 1, TargetTries: 1, RetryAfter: time.Millisecond, Remaining: never, Random: full}, again(250*time.Millisecond, 1)},
		{"a rest that the provider does not measure is not waited for", defaults, Situation{Class: ClassRateLimit, Tries: 1, TargetTries: 1, Remaining: never}, stop(ReasonNoTarget)},
		{"ten seconds are waited for", defaults, Situation{Class: ClassOverloaded, Tries: 1, TargetTries: 1, RetryAfter: 10 * time.Second, Remaining: never}, again(10*time.Second, 1)},
		{"eleven are the client's to wait", defaults, Situation{Class: ClassOverloaded, Tries: 1, TargetTries: 1, RetryAfter: 11 * time.Second, Remaining: never}, stop(ReasonNoTime)},
		{"no rest is waited for beyond the deadline", defaults, Situation{Class: ClassRateLimit, Tries: 1, TargetTries: 1, RetryAfter: 4 * time.Second, Remaining: 4 * time.Second}, stop(ReasonNoTime)},

		{"three tries are enough", defaults, Situation{Class: ClassConnect, Tries: 3, TargetTries: 1, OtherTarget: true, Remaining: never}, stop(ReasonExhausted)},
		{"two at one target", defaults, Situation{Class: ClassConnect, Tries: 2, TargetTries: 2, Remaining: never}, stop(ReasonExhausted)},
		{"two at one target do not keep from others", defaults, Situation{Class: ClassConnect, Tries: 2, TargetTries: 2, OtherTarget: true, Remaining: never}, other},
		{"no retries means none", with(func(r *RetryRules) { r.Retries = 0 }), Situation{Class: ClassConnect, Tries: 1, OtherTarget: true, Remaining: never}, stop(ReasonExhausted)},
		{"fewer than none means none", with(func(r *RetryRules) { r.Retries = -1 }), Situation{Class: ClassConnect, Tries: 1, OtherTarget: true, Remaining: never}, stop(ReasonExhausted)},

		{"no try starts in the last second", defaults, Situation{Class: ClassConnect, Tries: 1, OtherTarget: true, Remaining: time.Second - 1}, stop(ReasonNoTime)},
		{"one starts with a second left", defaults, Situation{Class: ClassConnect, Tries: 1, OtherTarget: true, Remaining: time.Second}, other},
		{"none starts that would not see its first token", defaults, Situation{Class: ClassConnect, Tries: 1, OtherTarget: true, Remaining: 4 * time.Second, Expected: 5 * time.Second}, stop(ReasonNoTime)},
		{"none starts after the deadline", defaults, Situation{Class: ClassConnect, Tries: 1, OtherTarget: true, Remaining: -1}, stop(ReasonNoTime)},
		{"none starts after the try duration", with(func(r *RetryRules) { r.TryDuration = time.Second }), Situation{Class: ClassConnect, Tries: 1, OtherTarget: true, Elapsed: time.Second, Remaining: never}, stop(ReasonNoTime)},
		{"one starts before it", with(func(r *RetryRules) { r.TryDuration = time.Second }), Situation{Class: ClassConnect, Tries: 1, OtherTarget: true, Elapsed: time.Second - 1, Remaining: never}, other},
		{"a backoff may not reach beyond it", with(func(r *RetryRules) { r.TryDuration = time.Second }), Situation{Class: ClassConnect, Tries: 1, TargetTries: 1, Elapsed: 800 * time.Millisecond, Remaining: never, Random: full}, stop(ReasonNoTime)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.rules.Next(tc.s); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// TestThePlannerKeepsItsPromisesInEverySituation goes through all combinations and checks what must hold in each.
func TestThePlannerKeepsItsPromisesInEverySituation(t *testing.T) {
	everyClass := append([]string{
		ClassTLS, ClassInvalid, ClassCanceled, ClassInternal, "", "unknown",
	}, retryable[:]...)
	sets := []Classes{0, DefaultRetryOn, 1<<len(retryable) - 1}
	durations := []time.Duration{0, time.Second, 12 * time.Second}
	n := 0
	check := func(r RetryRules, s Situation) {
		n++
		d := r.Next(s)
		switch {
		case (d.Action == Stop) != (d.Reason != ReasonNone):
			t.Fatalf("%+v %+v: a reason must be given for a stop and only then", r, s)
		case d.Action == Stop:
			return
		case s.Committed, s.Tries > r.Retries, s.Class == ClassCanceled, s.Class == ClassInvalid, s.Class == "unknown":
			t.Fatalf("%+v %+v: got %+v, want a stop", r, s, d)
		case d.Action == OtherTarget && !(s.OtherTarget && r.On.Has(s.Class)),
			d.Action == OtherCredential && !s.OtherCredential:
			t.Fatalf("%+v %+v: got %+v, which there is not", r, s, d)
		case d.Action == SameTarget && (s.OtherTarget || s.TargetTries >= 2 || d.Cost < 1 || d.After < s.RetryAfter):
			t.Fatalf("%+v %+v: got %+v", r, s, d)
		case d.Action != SameTarget && (d.After != 0 || d.Cost != 0):
			t.Fatalf("%+v %+v: got %+v, want it at once and free", r, s, d)
		case s.Remaining-d.After < max(time.Second, s.Expected):
			t.Fatalf("%+v %+v: got %+v, which leaves too little time", r, s, d)
		case r.TryDuration > 0 && s.Elapsed+d.After >= r.TryDuration:
			t.Fatalf("%+v %+v: got %+v, which is too late", r, s, d)
		}
	}
	for _, class := range everyClass {
		for _, on := range sets {
			for retries := range 3 {
				for tries := 1; tries <= 4; tries++ {
					for flags := range 8 {
						for _, remaining := range []time.Duration{time.Second, 11 * time.Second, NoDeadline} {
							for _, after := range durations {
								for _, elapsed := range durations {
									for _, expected := range durations {
										r := RetryRules{On: on, Retries: retries, TryDuration: 5 * time.Second, TryInterval: time.Second}
										check(r, Situation{
											Class: class, Committed: flags&1 != 0, OtherTarget: flags&2 != 0, OtherCredential: flags&4 != 0,
											Tries: tries, TargetTries: min(tries, 1+flags%3), RetryAfter: after,
											Elapsed: elapsed, Remaining: remaining, Expected: expected, Random: mix(uint64(n)),
										})
									}
								}
							}
						}
					}
				}
			}
		}
	}
	if n < 100_000 {
		t.Errorf("only %d combinations were checked", n)
	}
}

func TestClassesAreNamedAsInTheConfiguration(t *testing.T) {
	if got := DefaultRetryOn.String(); got != "connect timeout rate_limit overloaded server_error" {
		t.Errorf("got %q by default", got)
	}
	set, err := ParseClasses("auth", "connect", "auth")
	if err != nil || set.String() != "connect auth" {
		t.Errorf("got %q, %v", set, err)
	}
	for class, want := range map[string]bool{ClassAuth: true, ClassConnect: true, ClassTLS: true, ClassTimeout: false, "": false} {
		if set.Has(class) != want {
			t.Errorf("class %q: got %v, want %v", class, !want, want)
		}
	}
	for _, word := range []string{"", "invalid", "canceled", "tls", "Timeout", "5xx"} {
		const list = "known are connect, timeout, rate_limit, overloaded, server_error, context_length, content_filter, auth, billing, not_found"
		_, err := ParseClasses(word)
		if want := "'" + word + "' is not a class of fault that can be retried; " + list; err == nil || err.Error() != want {
			t.Errorf("%q: got error %v, want %s", word, err, want)
		}
	}
}
