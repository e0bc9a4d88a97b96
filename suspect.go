package llmgateway

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// suspectReports of usage that cannot be true, within suspectPeriod, make a target suspicious.
	suspectReports = 3
	suspectPeriod  = 5 * time.Minute
)

// suspicion remembers when a model last reported usage that could not be true.
type suspicion struct {
	mu     sync.Mutex
	times  [suspectReports]time.Time
	next   int
	warned time.Time
}

// note takes in another such report, and returns whether to warn: there were three within five minutes, and nobody was
// told in that time.
func (s *suspicion) note(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times[s.next] = now
	s.next = (s.next + 1) % suspectReports
	oldest := s.times[s.next]
	if oldest.IsZero() || now.Sub(oldest) > suspectPeriod || !s.warned.IsZero() && now.Sub(s.warned) < suspectPeriod {
		return false
	}
	s.warned = now
	return true
}

// suspect counts an attempt whose usage could not be true and had to be estimated. A target that does so repeatedly is
// reported and goes on being used: whether to trust its bills is for people to decide.
func (x *exchange) suspect(a *attempt) {
	if !a.obs.UsageInvalid {
		return
	}
	if s := a.target.series; s != nil {
		collectors.invalid.WithLabelValues(s.model, s.provider).Inc()
	}
	if a.slot != nil && a.slot.model.suspicion.note(time.Now()) {
		x.h.logger.Warn("a provider repeatedly reports usage that cannot be true; its requests are charged by estimates",
			zap.String("target", a.target.label), zap.Int("reports", suspectReports), zap.Duration("within", suspectPeriod))
	}
}
