package llmgateway

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/balancing"
)

// upstreamStates holds what is known about endpoints and credentials. It outlives the configuration: health, cooldowns
// and latencies survive a reload, and two blocks that name the same endpoint and key share them.
var upstreamStates = caddy.NewUsagePool()

// upstreamState is the state of one endpoint and credential.
type upstreamState struct {
	key    string
	label  atomic.Pointer[string]
	health *balancing.Health // reachability of the endpoint and validity of the credential
	// limiter keeps what the vendor allows the credential.
	limiter balancing.Limiter
	// answered is when the endpoint answered last, in Unix nanoseconds: without an answer there is no idle connection.
	answered atomic.Int64
	// freshUntil is until when requests go over new connections, in Unix nanoseconds.
	freshUntil atomic.Int64

	mu     sync.Mutex
	rules  balancing.Rules // in force
	terms  []terms         // in the order in which they were set
	models map[string]*modelState
}

// terms are what one handler wants of an endpoint and credential that others may use, too.
type terms struct {
	of    *Handler
	rules balancing.Rules
	limit balancing.Limit
}

// modelState is the state of one model behind one endpoint and credential.
type modelState struct {
	model string
	// public says that the model's name is in a configuration or in the price book, and fit for a metrics label.
	public atomic.Bool
	health *balancing.Health
	budget balancing.RetryBudget // for asking this same slot again

	// whole and first are how long whole responses and the first tokens of streams took.
	whole, first balancing.Quantiles

	suspicion suspicion

	mu       sync.Mutex
	prefixes map[uint64]prefix // by session
}

// quantiles are those of streams or of whole responses.
func (m *modelState) quantiles(stream bool) *balancing.Quantiles {
	if stream {
		return &m.first
	}
	return &m.whole
}

// maxModelStates bounds the memory that clients can make an upstream use by asking for ever new model names.
const maxModelStates = 512

// overflowModel is the state that all models beyond maxModelStates share.
const overflowModel = "*"

func newUpstreamState(key string, rules balancing.Rules) *upstreamState {
	return &upstreamState{key: key, health: balancing.NewHealth(rules), rules: rules, models: map[string]*modelState{}}
}

// agree adds the terms of a handler. The rules set last are in force for the endpoint and all its models, and so is the limit
// set last: a handler that sets none does not know better.
func (s *upstreamState) agree(t terms) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.terms = append(s.terms, t)
	s.apply()
}

// withdraw removes the terms of a handler, after a reload or when its configuration turned out to be wrong. Then those from
// before are in force again.
func (s *upstreamState) withdraw(h *Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.terms)
	s.terms = slices.DeleteFunc(s.terms, func(t terms) bool { return t.of == h })
	if len(s.terms) < before && len(s.terms) > 0 {
		s.apply()
	}
}

func (s *upstreamState) apply() {
	s.rules = s.terms[len(s.terms)-1].rules
	var limit balancing.Limit
	for _, t := range s.terms {
		if t.limit != (balancing.Limit{}) {
			limit = t.limit
		}
	}
	s.limiter.SetLimit(limit)
	// How many requests a target takes is counted by model; the endpoint as a whole has no such limit.
	endpoint := s.rules
	endpoint.UnhealthyRequestCount, endpoint.UnhealthyLatency = 0, 0
	s.health.SetRules(endpoint)
	for _, m := range s.models {
		m.health.SetRules(s.rules)
	}
}

// Destruct has nothing to close: requests may still hold pointers to the state.
func (*upstreamState) Destruct() error { return nil }

func (s *upstreamState) model(name string) *modelState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.models) >= maxModelStates && s.models[name] == nil {
		name = overflowModel
	}
	m := s.models[name]
	if m == nil {
		m = &modelState{model: name, health: balancing.NewHealth(s.rules)}
		s.models[name] = m
	}
	return m
}

// slot is one upstream as the place for one model: the smallest thing an attempt can be sent to.
type slot struct {
	up    *upstream
	model *modelState
	id    uint64
}

// usable reports whether the slot may be used now for a request and has not been tried for it.
func (s *slot) usable(now time.Time, x *exchange) bool {
	if slices.Contains(x.tried, s) || s.up.state.limiter.Wait(now, x.tokens()) > 0 {
		return false
	}
	if ok, _ := s.up.state.health.Allow(now); !ok {
		return false
	}
	ok, _ := s.model.health.Allow(now)
	return ok
}

// limited is how long nothing but the vendor's limit keeps a request from the slot; 0 when that is not so.
func (s *slot) limited(now time.Time, x *exchange) time.Duration {
	wait := s.up.state.limiter.Wait(now, x.tokens())
	if wait <= 0 || slices.Contains(x.tried, s) || s.up.state.health.NextAllowed(now).After(now) || s.model.health.NextAllowed(now).After(now) {
		return 0
	}
	return wait
}

// nextAllowed is when the slot can be used again for a request.
func (s *slot) nextAllowed(now time.Time, x *exchange) time.Time {
	next := now.Add(s.up.state.limiter.Wait(now, x.tokens()))
	for _, at := range [2]time.Time{s.up.state.health.NextAllowed(now), s.model.health.NextAllowed(now)} {
		if at.After(next) {
			next = at
		}
	}
	return next
}

// slotsFor returns the slots of a model, one for each upstream.
func (p *provider) slotsFor(model string) []*slot {
	p.mu.RLock()
	slots, ok := p.slots[model]
	p.mu.RUnlock()
	if ok {
		return slots
	}
	for _, up := range p.upstreams {
		slots = append(slots, &slot{up: up, model: up.state.model(model), id: balancing.ID(model) ^ up.id})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if have, ok := p.slots[model]; ok {
		return have
	}
	if len(p.slots) < maxModelStates {
		p.slots[model] = slots
	}
	return slots
}

// target is one provider and one of its models, as one route uses it.
type target struct {
	provider *provider
	model    string // the provider's own name of it
	label    string // provider/model
	weight   int
	id       uint64
	slots    []*slot
	book     *accounting.Book  // that the price is from
	price    *accounting.Model // nil when no price is known
	limit    priceCap          // on what the output may cost; 0 for none
	series   *series           // metrics, nil when they are off
}

func (t *table) newTarget(p *provider, model, routeLabel string, weight int) *target {
	tg := &target{
		provider: p,
		model:    model,
		label:    p.name + "/" + model,
		weight:   max(weight, 1),
		book:     t.book,
		price:    t.price(p, model),
	}
	if !t.checking {
		tg.slots = p.slotsFor(model)
	}
	tg.id = balancing.ID(tg.label)
	if m := t.h.metrics; m != nil {
		tg.series = m.series(routeLabel, p.name)
	}
	return tg
}

// publish marks the target's model as one that no client made up.
func (t *target) publish() {
	for _, s := range t.slots {
		s.model.public.Store(true)
	}
}

// available reports whether any slot of the target may be used.
func (t *target) available(now time.Time, x *exchange) bool {
	if !x.lenient && !t.fits(x) {
		return false
	}
	for _, s := range t.slots {
		if s.usable(now, x) {
			return true
		}
	}
	return false
}

// candidate describes the target to a policy. It reports false when none of its slots may be used.
func (t *target) candidate(now time.Time, x *exchange) (balancing.Candidate, bool) {
	c := balancing.Candidate{ID: t.id, Weight: t.weight}
	if !t.sound(x, now) {
		return c, false
	}
	ok, cached := false, int64(0)
	for _, s := range t.slots {
		c.InFlight += s.model.health.InFlight()
		if !s.usable(now, x) {
			continue
		}
		if l := s.model.health.Latency(now); l > 0 && (c.Latency == 0 || l < c.Latency) {
			c.Latency = l
		}
		ok, cached = true, max(cached, s.model.cached(x.affinity, now))
	}
	if ok && t.price != nil {
		if p, known := t.price.Price(now); known {
			in, out := x.expectedTokens()
			c.Cost, c.Priced = int64(p.Expected(in, out, cached)), true
		}
	}
	return c, ok
}
