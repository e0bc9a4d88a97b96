package balancing

import (
	"encoding/json"
	"sync"
	"testing"
	"time"
)

// noFault is the class of an attempt that succeeded.
const noFault = ""

// story drives a Health through explicit times and fails the test at the step that surprises.
type story struct {
	t *testing.T
	h *Health
}

// newStory starts with a healthy target whose rests have no jitter.
func newStory(t *testing.T, rules Rules) *story {
	h := NewHealth(rules)
	h.random = func() uint64 { return 1 << 63 } // the middle of the jitter
	return &story{t, h}
}

func at(seconds float64) time.Time { return epoch.Add(time.Duration(seconds * float64(time.Second))) }

// begin sends a request that must be let through.
func (s *story) begin(now time.Time) Pass {
	s.t.Helper()
	p, ok := s.h.Begin(now)
	if !ok {
		s.t.Fatalf("at %v: the request was not let through", now.Sub(epoch))
	}
	return p
}

// request sends a request and reports its outcome: a class of fault, or "" for success.
func (s *story) request(now time.Time, class string, want Change) {
	s.t.Helper()
	p := s.begin(now)
	defer s.h.End(&p)
	var got Change
	if class == noFault {
		got = s.h.Success(now, &p, time.Second)
	} else {
		got = s.h.Failure(now, p, class)
	}
	if got != want {
		s.t.Fatalf("at %v: outcome %q changed %d, want %d", now.Sub(epoch), class, got, want)
	}
}

// takeOut lets requests fail until the breaker opens.
func (s *story) takeOut(now time.Time) {
	s.t.Helper()
	for range 4 {
		s.request(now, ClassServerError, Unchanged)
	}
	s.request(now, ClassServerError, TakenOut)
}

// expect checks what every question about the target is answered at a time.
func (s *story) expect(now time.Time, status Status, next time.Time) {
	s.t.Helper()
	ok, probe := s.h.Allow(now)
	wantOK := status == StatusHealthy || status == StatusHalfOpen
	if ok != wantOK || probe != (status == StatusHalfOpen) {
		s.t.Errorf("at %v: Allow says %v, probe %v, want status %s", now.Sub(epoch), ok, probe, status)
	}
	if got := s.h.Snapshot(now).Status; got != status {
		s.t.Errorf("at %v: status %s, want %s", now.Sub(epoch), got, status)
	}
	if got := s.h.NextAllowed(now); !got.Equal(next) {
		s.t.Errorf("at %v: next allowed at %v, want %v", now.Sub(epoch), got.Sub(epoch), next.Sub(epoch))
	}
}

func TestFiveFailuresInARowTakeATargetOut(t *testing.T) {
	for _, class := range []string{ClassConnect, ClassTimeout, ClassOverloaded, ClassServerError} {
		s := newStory(t, Rules{})
		for range 4 {
			s.request(at(0), class, Unchanged)
		}
		s.expect(at(0), StatusHealthy, at(0))
		s.request(at(1), class, TakenOut)
		s.expect(at(1), StatusOpen, at(11))
		s.expect(at(10.9), StatusOpen, at(11))
		s.expect(at(11), StatusHalfOpen, at(11))
	}
}

func TestASignOfLifeStartsTheCountAnew(t *testing.T) {
	for _, class := range []string{noFault, ClassInvalid, ClassNotFound, ClassContextLength, ClassContentFilter} {
		s := newStory(t, Rules{})
		for range 3 {
			for range 4 {
				s.request(at(0), ClassTimeout, Unchanged)
			}
			s.request(at(0), class, Unchanged)
		}
		s.takeOut(at(0))
	}
}

func TestFaultsThatSayNothingOfTheTargetNeitherCountNorInterrupt(t *testing.T) {
	for _, class := range []string{ClassRateLimit, ClassAuth, ClassBilling, ClassCanceled, ClassInternal, "unknown"} {
		s := newStory(t, Rules{})
		for range 4 {
			s.request(at(0), ClassConnect, Unchanged)
		}
		for range 50 {
			s.request(at(0), class, Unchanged)
		}
		s.request(at(0), ClassConnect, TakenOut)
	}
}

func TestAnUntrustedCertificateTakesATargetOutAtOnce(t *testing.T) {
	s := newStory(t, Rules{MaxFails: 50})
	s.request(at(0), ClassTLS, TakenOut)
	s.expect(at(0), StatusOpen, at(10))
}

func TestAFailedProbeTakesATargetOutAgainHoweverFewFailuresThereWere(t *testing.T) {
	s := newStory(t, Rules{MaxFails: 50})
	s.request(at(0), ClassTLS, TakenOut)
	s.request(at(10), ClassConnect, TakenOut)
	s.expect(at(10), StatusOpen, at(20))
}

func TestHalfOfTwentyFailuresTakeATargetOut(t *testing.T) {
	s := newStory(t, Rules{})
	for i := range 9 {
		s.request(at(float64(i)), noFault, Unchanged)
		s.request(at(float64(i)), ClassServerError, Unchanged)
	}
	s.request(at(9), noFault, Unchanged)
	s.request(at(9), ClassServerError, TakenOut)

	// The same spread over a longer time leaves fewer than twenty within the window.
	s = newStory(t, Rules{})
	for i := range 100 {
		s.request(at(float64(i)*1.3), noFault, Unchanged)
		s.request(at(float64(i)*1.3), ClassServerError, Unchanged)
	}
	s.expect(at(130), StatusHealthy, at(130))
}

func TestATargetThatFailsAtOnceIsTriedEveryTenSeconds(t *testing.T) {
	s := newStory(t, Rules{})
	s.takeOut(at(0))
	for i := 10.0; i < 100; i += 10 {
		s.request(at(i), ClassServerError, TakenOut)
		s.expect(at(i), StatusOpen, at(i+10))
	}
	s.request(at(100), noFault, Recovered)
}

func TestRestsDoubleWhileProbesTimeOut(t *testing.T) {
	s := newStory(t, Rules{})
	s.takeOut(at(0))
	now := at(0)
	for _, rest := range []float64{10, 20, 40, 80, 160, 300, 300} {
		next := now.Add(time.Duration(rest * float64(time.Second)))
		s.expect(next.Add(-1), StatusOpen, next)
		s.expect(next, StatusHalfOpen, next)
		s.request(next, ClassTimeout, TakenOut)
		now = next
	}
	now = now.Add(300 * time.Second)
	s.request(now, noFault, Recovered)
	s.expect(now, StatusHealthy, now)
}

func TestATargetThatFlapsRestsLonger(t *testing.T) {
	s := newStory(t, Rules{})
	s.takeOut(at(0))
	s.request(at(10), noFault, Recovered)
	s.takeOut(at(12))
	s.expect(at(12), StatusOpen, at(32))
	s.request(at(32), noFault, Recovered)
	// Each ten seconds in good health take one doubling back.
	s.takeOut(at(43))
	s.expect(at(43), StatusOpen, at(63))
	s.request(at(63), noFault, Recovered)
	s.takeOut(at(200))
	s.expect(at(200), StatusOpen, at(210))
}

func TestRestsAreJitteredByAFifth(t *testing.T) {
	for _, tc := range []struct {
		random uint64
		want   float64
	}{{0, 8}, {1 << 63, 10}, {1<<64 - 1, 12}} {
		s := newStory(t, Rules{})
		s.h.random = func() uint64 { return tc.random }
		s.takeOut(at(0))
		s.expect(at(0), StatusOpen, at(tc.want))
	}
}

func TestOneProbeAtATimeIsLetThrough(t *testing.T) {
	for _, tc := range []struct{ configured, want int }{{0, 1}, {1, 1}, {3, 3}, {50, 3}} {
		s := newStory(t, Rules{Probes: tc.configured})
		s.takeOut(at(0))
		var passes []Pass
		for range tc.want {
			p := s.begin(at(10))
			if !p.Probe() {
				t.Fatal("the request is not a probe")
			}
			passes = append(passes, p)
		}
		if ok, _ := s.h.Allow(at(10)); ok {
			t.Errorf("probes %d: more than %d were let through", tc.configured, tc.want)
		}
		if _, ok := s.h.Begin(at(10)); ok {
			t.Errorf("probes %d: more than %d could begin", tc.configured, tc.want)
		}
		if got := s.h.NextAllowed(at(10)); !got.Equal(at(11)) {
			t.Errorf("next allowed at %v, want a second later", got)
		}
		// A client that leaves makes room for the next probe.
		s.h.Failure(at(11), passes[0], ClassCanceled)
		s.h.End(&passes[0])
		s.expect(at(11), StatusHalfOpen, at(11))
	}
}

func TestAProbeWhoseStreamGoesOnLeavesRoomForTheNext(t *testing.T) {
	s := newStory(t, Rules{})
	s.takeOut(at(0))
	stream := s.begin(at(11))
	if got := s.h.Success(at(11), &stream, time.Second); got != Recovered {
		t.Fatalf("the probe changed %d", got)
	}
	s.takeOut(at(12))
	s.request(at(60), noFault, Recovered)
	s.h.End(&stream)
	s.takeOut(at(61))
	probe := s.begin(at(200))
	if _, ok := s.h.Begin(at(200)); ok {
		t.Error("two probes at a time are let through")
	}
	s.h.End(&probe)
}

func TestOutcomesOfRequestsSentBeforeTheOpeningSayNothingNew(t *testing.T) {
	s := newStory(t, Rules{})
	before := s.begin(at(0))
	s.takeOut(at(0))

	if got := s.h.Success(at(1), &before, time.Second); got != Unchanged {
		t.Error("an old success closed the breaker")
	}
	s.expect(at(1), StatusOpen, at(10))
	probe := s.begin(at(10))
	if got := s.h.Failure(at(10), before, ClassTimeout); got != Unchanged {
		t.Error("an old failure opened the breaker again")
	}
	if got := s.h.Success(at(11), &probe, time.Second); got != Recovered {
		t.Error("the probe did not close the breaker")
	}
	if got := s.h.Failure(at(11), before, ClassTLS); got != Unchanged {
		t.Error("an old failure counted after the recovery")
	}
	s.h.End(&before)
	s.h.End(&probe)
	s.expect(at(11), StatusHealthy, at(11))
}

func TestARefusedProbeShowsThatTheTargetIsBack(t *testing.T) {
	s := newStory(t, Rules{})
	s.takeOut(at(0))
	s.request(at(10), ClassInvalid, Recovered)
	s.expect(at(10), StatusHealthy, at(10))
}

func TestMaxFailsAloneCountsFailuresInARow(t *testing.T) {
	s := newStory(t, Rules{MaxFails: 2})
	s.request(at(0), ClassConnect, Unchanged)
	s.request(at(50), ClassConnect, TakenOut)
	s.expect(at(50), StatusOpen, at(60))
}

func TestFailDurationMeansWhatItMeansInReverseProxy(t *testing.T) {
	t.Run("one failure by default, for exactly that long, with nothing half-open", func(t *testing.T) {
		s := newStory(t, Rules{FailDuration: 30 * time.Second})
		s.h.random = func() uint64 { return 0 }
		s.request(at(0), ClassConnect, TakenOut)
		s.expect(at(29.9), StatusOpen, at(30))
		s.expect(at(30), StatusHealthy, at(30))
		s.request(at(30), ClassConnect, TakenOut)
		s.expect(at(59.9), StatusOpen, at(60))
	})
	t.Run("max_fails of them need not be in a row", func(t *testing.T) {
		s := newStory(t, Rules{FailDuration: 30 * time.Second, MaxFails: 3})
		for _, class := range []string{ClassConnect, noFault, noFault, ClassConnect, noFault} {
			s.request(at(0), class, Unchanged)
		}
		s.request(at(26), ClassConnect, TakenOut)
	})
	t.Run("older failures are forgotten", func(t *testing.T) {
		s := newStory(t, Rules{FailDuration: 30 * time.Second, MaxFails: 2})
		for i := range 20 {
			s.request(at(float64(i*31)), ClassConnect, Unchanged)
		}
	})
	t.Run("the rule of the half is replaced", func(t *testing.T) {
		s := newStory(t, Rules{FailDuration: 30 * time.Second, MaxFails: 100})
		for range 99 {
			s.request(at(0), ClassConnect, Unchanged)
		}
		s.request(at(0), ClassConnect, TakenOut)
	})
}

func TestASlowFirstTokenIsAFailureUnderUnhealthyLatency(t *testing.T) {
	s := newStory(t, Rules{MaxFails: 2, UnhealthyLatency: 3 * time.Second})
	for i, tc := range []struct {
		latency time.Duration
		want    Change
	}{{3 * time.Second, Unchanged}, {time.Second, Unchanged}, {4 * time.Second, Unchanged}, {4 * time.Second, TakenOut}} {
		p := s.begin(at(0))
		if got := s.h.Success(at(0), &p, tc.latency); got != tc.want {
			t.Errorf("answer %d: changed %d, want %d", i, got, tc.want)
		}
		s.h.End(&p)
	}
	if got := s.h.Snapshot(at(0)).LatencyMS; got != 3000 {
		t.Errorf("latency %v ms, want the mean of all answers, the slow ones too", got)
	}
}

func TestRequestsThatWaitForTheirFirstTokenRaiseTheLatency(t *testing.T) {
	s := newStory(t, Rules{})
	s.request(at(0), noFault, Unchanged) // takes a second, as far as anybody knows
	idle := s.h.Latency(at(60))
	answered, canceled := s.begin(at(60)), s.begin(at(60))
	if got := s.h.Latency(at(60)); !near(got, 3*idle) {
		t.Errorf("latency %v behind two requests, want three times %v", got, idle)
	}
	s.h.Success(at(61), &answered, time.Second)
	s.h.End(&answered) // the end of its stream, which no longer waits
	s.h.End(&canceled)
	if got := s.h.Latency(at(61)); got > idle {
		t.Errorf("latency %v when none waits any more, want at most %v", got, idle)
	}
}

func TestATimeoutCountsAsTheTimeThatWasWaited(t *testing.T) {
	s := newStory(t, Rules{})
	for _, tc := range []struct {
		after time.Duration
		class string
		want  float64
	}{
		{30 * time.Second, ClassTimeout, 30_000},
		{10 * time.Millisecond, ClassConnect, 30_000}, // says nothing about answers
		{time.Minute, ClassInvalid, 30_000},           // an answer, if not the one asked for
	} {
		p := s.begin(at(0))
		s.h.Failure(at(0).Add(tc.after), p, tc.class)
		s.h.End(&p)
		if got := s.h.Snapshot(at(0)).LatencyMS; got != tc.want {
			t.Errorf("latency %v ms after %s, want %v", got, tc.class, tc.want)
		}
	}
}

func TestNoMoreRequestsThanAllowedAreInFlight(t *testing.T) {
	s := newStory(t, Rules{UnhealthyRequestCount: 2})
	first := s.begin(at(0))
	s.begin(at(0))
	s.expect(at(0), StatusFull, at(1))
	if _, ok := s.h.Begin(at(0)); ok {
		t.Error("a third request was let through")
	}
	if _, ok := s.h.LastResort(at(0)); ok {
		t.Error("a third request was let through as a last resort")
	}
	if got := s.h.InFlight(); got != 2 {
		t.Errorf("%d requests are in flight, want 2", got)
	}
	s.h.End(&first)
	s.expect(at(0), StatusHealthy, at(0))
}

func TestACooldownIsKeptToTheMoment(t *testing.T) {
	for _, tc := range []struct {
		asked time.Duration
		want  float64
	}{{2 * time.Second, 2}, {0, 1}, {-time.Hour, 1}, {1 << 62, 300}} {
		s := newStory(t, Rules{})
		s.h.Cooldown(at(0), tc.asked)
		s.expect(at(0), StatusCooldown, at(tc.want))
		s.expect(at(tc.want-0.001), StatusCooldown, at(tc.want))
		s.expect(at(tc.want), StatusHalfOpen, at(tc.want))
		s.request(at(tc.want), noFault, Recovered)
		s.expect(at(tc.want), StatusHealthy, at(tc.want))
	}
}

func TestACooldownIsNotShortenedByAnother(t *testing.T) {
	s := newStory(t, Rules{})
	s.h.Cooldown(at(0), 10*time.Second)
	s.h.Cooldown(at(1), 2*time.Second)
	s.expect(at(1), StatusCooldown, at(10))
	s.h.Cooldown(at(1), 20*time.Second)
	s.expect(at(1), StatusCooldown, at(21))
}

func TestOneRequestASecondFindsOutWhetherACooldownIsOver(t *testing.T) {
	s := newStory(t, Rules{})
	before := s.begin(at(0))
	s.h.Cooldown(at(0), 2*time.Second)
	pioneer := s.begin(at(2))
	if _, ok := s.h.Begin(at(2.9)); ok {
		t.Error("a second request was let through in the same second")
	}
	second := s.begin(at(3))
	if s.h.Success(at(3), &before, time.Second) != Unchanged {
		t.Error("a request sent before the cooldown ended it")
	}
	s.h.Cooldown(at(3.5), 2*time.Second) // the second one was turned away
	if s.h.Success(at(4), &pioneer, time.Second) != Unchanged {
		t.Error("the provider's newer word was overruled")
	}
	s.expect(at(5), StatusCooldown, at(5.5))
	s.request(at(5.5), noFault, Recovered)
	s.h.End(&second)
}

func TestARefusedCredentialRestsLongerEachTime(t *testing.T) {
	s := newStory(t, Rules{})
	now := at(0)
	for _, minutes := range []float64{5, 10, 20, 40, 60, 60} {
		p := s.begin(now)
		if s.h.Quarantine(now, p) != TakenOut {
			t.Fatal("the refusal changed nothing")
		}
		s.h.End(&p)
		next := now.Add(time.Duration(minutes) * time.Minute)
		s.expect(next.Add(-1), StatusQuarantined, next)
		s.expect(next, StatusHalfOpen, next)
		now = next
	}
	s.request(now, noFault, Recovered)
	p := s.begin(now)
	s.h.Quarantine(now, p)
	s.expect(now, StatusQuarantined, now.Add(5*time.Minute))
}

func TestRefusalsThatWereOnTheirWayDoNotLengthenAQuarantine(t *testing.T) {
	s := newStory(t, Rules{})
	a, b, c := s.begin(at(0)), s.begin(at(0)), s.begin(at(0))
	s.h.Quarantine(at(1), a)
	if s.h.Quarantine(at(2), b) != Unchanged {
		t.Error("a refusal on its way lengthened the quarantine")
	}
	if s.h.Success(at(3), &c, time.Second) != Unchanged {
		t.Error("an answer on its way ended the quarantine")
	}
	s.expect(at(3), StatusQuarantined, at(301))
	if s.h.Quarantine(at(400), b) != Unchanged {
		t.Error("a refusal from before the quarantine began another one")
	}
	s.expect(at(400), StatusHalfOpen, at(400))
	s.begin(at(400))
	if _, ok := s.h.Begin(at(400)); ok {
		t.Error("two probes of a credential were let through")
	}
}

func TestTheLastResortIsOneRequestASecond(t *testing.T) {
	s := newStory(t, Rules{})
	s.takeOut(at(0))
	p, ok := s.h.LastResort(at(1))
	if !ok || s.h.InFlight() != 1 {
		t.Fatal("an open breaker let nothing through")
	}
	if _, ok := s.h.LastResort(at(1.9)); ok {
		t.Error("two requests were let through in a second")
	}
	if s.h.Failure(at(1.9), p, ClassConnect) != Unchanged {
		t.Error("its failure made the rest longer")
	}
	s.h.End(&p)
	s.expect(at(2), StatusOpen, at(10))
	p, ok = s.h.LastResort(at(2))
	if !ok || s.h.Success(at(2), &p, time.Second) != Recovered {
		t.Error("its success did not bring the target back")
	}
	s.h.End(&p)
	s.expect(at(2), StatusHealthy, at(2))
	if got := s.h.Snapshot(at(2)); got.RecentFailures != 0 || got.FailuresInRow != 0 {
		t.Errorf("got %+v, want the failures before the recovery forgotten", got)
	}
}

func TestATargetWithoutAnAlternativeIsAskedWhileItAnswersSome(t *testing.T) {
	s := newStory(t, Rules{})
	sole := func(now time.Time, class string) Change {
		p, ok := s.h.Begin(now)
		if !ok {
			t.Fatal("the only target was kept from use")
		}
		p.Sole()
		defer s.h.End(&p)
		if class == "" {
			return s.h.Success(now, &p, time.Second)
		}
		return s.h.Failure(now, p, class)
	}
	for i := range 200 { // nine of ten
		class := ClassServerError
		if i%10 == 0 {
			class = ""
		}
		if got := sole(at(float64(i)/10), class); got != Unchanged {
			t.Fatalf("request %d: got %v", i, got)
		}
	}
	sole(at(20), "")
	for i := range breakerRequests - 1 {
		if got := sole(at(20), ClassServerError); got != Unchanged {
			t.Fatalf("failure %d in a row: got %v", i, got)
		}
	}
	if got := sole(at(20), ClassServerError); got != TakenOut {
		t.Errorf("the last failure of so many in a row: got %v, want the target taken out", got)
	}
	s = newStory(t, Rules{})
	sole(at(0), "")
	for range breakerFails {
		sole(at(9), ClassConnect)
	}
	if got := sole(at(10), ClassConnect); got != TakenOut {
		t.Errorf("nothing has succeeded for 10s: got %v, want the target taken out", got)
	}
	s = newStory(t, Rules{})
	sole(at(0), "")
	if got := sole(at(0), ClassTLS); got != TakenOut {
		t.Errorf("a certificate that is not trusted: got %v, want the target taken out", got)
	}
}

func TestTheLastResortIsAnyRequestWhileTheTargetAnswersSome(t *testing.T) {
	s := newStory(t, Rules{})
	p := s.begin(at(0))
	s.h.Success(at(0), &p, time.Second)
	s.h.End(&p)
	s.takeOut(at(1))
	for range breakerRequests - breakerFails {
		p, ok := s.h.LastResort(at(1))
		if !ok {
			t.Fatal("a target that answers some was kept from use")
		}
		s.h.Failure(at(1), p, ClassServerError)
		s.h.End(&p)
	}
	if _, ok := s.h.LastResort(at(1)); !ok {
		t.Error("the first request of the second was refused")
	}
	if _, ok := s.h.LastResort(at(1.5)); ok {
		t.Error("two requests in a second were let through to a target that answers none")
	}
}

func TestTheLastResortRespectsCooldownsAndPassesOverQuarantines(t *testing.T) {
	s := newStory(t, Rules{})
	s.h.Cooldown(at(0), 5*time.Second)
	if _, ok := s.h.LastResort(at(4)); ok {
		t.Error("a request was let through a cooldown")
	}
	if _, ok := s.h.LastResort(at(5)); !ok {
		t.Error("no request was let through after the cooldown")
	}
	if _, ok := s.h.Begin(at(5)); ok {
		t.Error("a second request was let through in the same second")
	}
	s = newStory(t, Rules{})
	s.h.Quarantine(at(0), Pass{})
	for range 3 {
		p, ok := s.h.LastResort(at(1))
		if !ok {
			t.Fatal("the only credential was kept from use")
		}
		s.h.Quarantine(at(1), p)
		s.h.End(&p)
	}
	s.expect(at(1), StatusQuarantined, at(300))
	p, _ := s.h.LastResort(at(2))
	if s.h.Success(at(2), &p, time.Second) != Recovered {
		t.Error("its success did not bring the credential back")
	}
}

func TestActiveChecksTakeATargetOutAndBringItBack(t *testing.T) {
	s := newStory(t, Rules{})
	for i, tc := range []struct {
		ok   bool
		want Change
	}{
		{false, Unchanged},
		{false, Unchanged},
		{true, Unchanged},
		{false, Unchanged},
		{false, Unchanged},
		{false, TakenOut},
		{false, Unchanged},
		{true, Unchanged},
		{false, Unchanged},
		{true, Unchanged},
		{true, Recovered},
	} {
		if got := s.h.Checked(tc.ok); got != tc.want {
			t.Fatalf("check %d: changed %d, want %d", i, got, tc.want)
		}
		if tc.want == TakenOut {
			s.expect(at(0), StatusDown, at(1))
		}
	}
	s.expect(at(0), StatusHealthy, at(0))
}

func TestARecoveredTargetStartsSlowly(t *testing.T) {
	s := newStory(t, Rules{SlowStart: 100 * time.Second})
	if got := s.h.Ramp(at(0)); got != 1 {
		t.Errorf("a target that never failed has %v of its share", got)
	}
	s.takeOut(at(0))
	s.request(at(10), noFault, Recovered)
	for _, tc := range []struct{ second, want float64 }{{10, .1}, {15, .1}, {60, .5}, {110, 1}, {999, 1}, {0, .1}} {
		if got := s.h.Ramp(at(tc.second)); got != tc.want {
			t.Errorf("at %v s: got %v of its share, want %v", tc.second, got, tc.want)
		}
	}
	s = newStory(t, Rules{SlowStart: -1})
	s.takeOut(at(0))
	s.request(at(10), noFault, Recovered)
	if got := s.h.Ramp(at(10)); got != 1 {
		t.Errorf("without slow start it has %v of its share", got)
	}
}

func TestNewRulesKeepTheState(t *testing.T) {
	s := newStory(t, Rules{})
	for range 4 {
		s.request(at(0), ClassConnect, Unchanged)
	}
	s.h.Cooldown(at(0), time.Second)
	s.h.SetRules(Rules{UnhealthyRequestCount: 7})
	if got := s.h.Snapshot(at(0)); got.RecentFailures != 4 || got.Status != StatusCooldown {
		t.Errorf("got %+v", got)
	}
	s.request(at(1), ClassConnect, TakenOut)
	s.h.SetRules(Rules{FailDuration: time.Minute})
	if got := s.h.Snapshot(at(1)); got.RecentFailures != 0 || got.Status != StatusOpen {
		t.Errorf("got %+v, want failures counted anew and the target still out", got)
	}
}

func TestTheStateIsShownInWordsAndSeconds(t *testing.T) {
	s := newStory(t, Rules{})
	s.request(at(0), noFault, Unchanged)
	s.takeOut(at(0))
	s.begin(at(10))
	got, err := json.Marshal(s.h.Snapshot(at(10)))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"status":"half_open","in_flight":1,"latency_ms":1000,"failures_in_row":5,"recent_requests":0,` +
		`"recent_failures":0,"last_failure":"server_error","last_failure_seconds_ago":10,"retry_after_seconds":1}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestHealthIsConsistentUnderConcurrency(t *testing.T) {
	h := NewHealth(Rules{UnhealthyRequestCount: 5, Probes: 3})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				now := at(float64(i) / 10)
				h.Allow(now)
				p, ok := h.Begin(now)
				if !ok {
					if p, ok = h.LastResort(now); !ok {
						continue
					}
				}
				switch (i + g) % 7 {
				case 0, 1, 2:
					h.Failure(now, p, ClassConnect)
				case 3:
					h.Cooldown(now, time.Millisecond)
				case 4:
					h.Snapshot(now)
				default:
					h.Success(now, &p, time.Millisecond)
				}
				h.End(&p)
			}
		})
	}
	wg.Wait()
	if h.InFlight() != 0 || h.probes != 0 {
		t.Errorf("%d requests and %d probes are left over", h.InFlight(), h.probes)
	}
}
