package balancing

import (
	"math/rand/v2"
	"testing"
	"time"
)

// model is a slow and plain restatement of the breaker's rules: it keeps all events since the last opening or closing
// and works everything out from them anew.
type model struct {
	events  []modelEvent
	out     bool
	until   time.Duration
	rests   int
	healed  time.Duration // when it came back last
	opening int           // how often it was taken out
	probes  int
	fixed   time.Duration // fail_duration
	fails   int           // max_fails
}

type modelEvent struct {
	second int64 // tenth of the window
	failed bool
}

type modelPass struct {
	pass    Pass
	opening int
	probe   bool
}

func (m *model) span() time.Duration {
	if m.fixed > 0 {
		return m.fixed
	}
	return 10 * time.Second
}

func (m *model) settle(now time.Duration) {
	if m.out && m.fixed > 0 && now >= m.until {
		m.out, m.healed, m.events = false, now, nil
	}
}

func (m *model) begin(now time.Duration) (modelPass, bool) {
	m.settle(now)
	if m.out && (now < m.until || m.probes > 0) {
		return modelPass{}, false
	}
	if m.out {
		m.probes++
	}
	return modelPass{opening: m.opening, probe: m.out}, true
}

func (m *model) outcome(now time.Duration, p modelPass, failed bool) Change {
	if p.opening != m.opening {
		return Unchanged
	}
	m.settle(now)
	if !failed && m.out {
		m.out, m.healed, m.events = false, now, nil
		return Recovered
	}
	if m.out && now < m.until {
		return Unchanged
	}
	m.events = append(m.events, modelEvent{int64(now / (m.span() / 10)), failed})
	if !failed || !m.out && !m.tooMany(now) {
		return Unchanged
	}
	rest := m.fixed
	switch {
	case rest > 0:
	case m.out: // a probe that fails at once
		rest = 10 * time.Second
	default:
		if !m.out && m.opening > 0 {
			for t := m.healed + 10*time.Second; t <= now && m.rests > 0; t += 10 * time.Second {
				m.rests--
			}
		}
		rest = min(10*time.Second<<m.rests, 300*time.Second)
		m.rests = min(m.rests+1, 5)
	}
	m.out, m.until = true, now+rest
	m.opening++
	return TakenOut
}

func (m *model) tooMany(now time.Duration) bool {
	row, all, failed := 0, 0, 0
	for _, e := range m.events {
		if row++; !e.failed {
			row = 0
		}
		if e.second > int64(now/(m.span()/10))-10 {
			all++
			if e.failed {
				failed++
			}
		}
	}
	if m.fixed > 0 {
		return failed >= m.fails
	}
	return row >= m.fails || all >= 20 && failed*2 >= all
}

// FuzzBreakerAgreesWithItsModel runs requests that overlap through Health and through the model. Each byte is a step.
func FuzzBreakerAgreesWithItsModel(f *testing.F) {
	f.Add([]byte{0, 1, 4, 1, 4, 1, 4, 1, 4, 1, 4, 0xff, 1, 5})
	f.Add([]byte{3, 1, 1, 1, 4, 12, 20, 0xf0, 1, 4, 1, 4, 0xff, 1, 13, 1, 5, 0x80, 1, 4})
	f.Add([]byte{0, 1, 3, 1, 4, 1, 3, 1, 4, 1, 3, 1, 4, 1, 3, 1, 4, 1, 3, 1, 4, 1, 3, 1, 4, 1, 3, 1, 4, 1, 3, 1, 4, 1, 3, 1, 4, 1, 3, 1, 4})
	f.Fuzz(compareToModel)
}

func TestTheBreakerAgreesWithItsModelOnRandomHistories(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		steps := make([]byte, 300)
		// In a half of the histories nearly all requests fail, so that long rests are reached.
		failing := r.IntN(2) == 0
		for i := range steps {
			steps[i] = byte(r.Uint32())
			if failing && steps[i] < 0x80 && steps[i]%8 > 2 && r.IntN(20) > 0 {
				steps[i] = steps[i]&^7 | 4
			}
		}
		compareToModel(t, steps)
	}
}

func compareToModel(t *testing.T, steps []byte) {
	if len(steps) < 2 {
		return
	}
	var rules Rules
	m := &model{fails: 5}
	switch steps[0] % 4 {
	case 1:
		rules.MaxFails, m.fails = 2, 2
	case 2:
		rules.FailDuration, m.fixed, m.fails = 5*time.Second, 5*time.Second, 1
	case 3:
		rules = Rules{MaxFails: 3, FailDuration: 30 * time.Second}
		m.fixed, m.fails = 30*time.Second, 3
	}
	h := NewHealth(rules)
	h.random = func() uint64 { return 1 << 63 }
	h.breaker.window.at(epoch) // the buckets of both begin at the same time
	var now time.Duration
	var open []modelPass
	for i, step := range steps[1:] {
		switch {
		case step >= 0x80: // time passes
			now += time.Duration(step-0x7f) * 193 * time.Millisecond
		case step%8 < 3 || len(open) == 0:
			p, ok := h.Begin(epoch.Add(now))
			want, wantOK := m.begin(now)
			if ok != wantOK || p.Probe() != want.probe {
				t.Fatalf("step %d at %v: let through %v, probe %v; want %v, %v", i, now, ok, p.Probe(), wantOK, want.probe)
			}
			if ok {
				want.pass = p
				open = append(open, want)
			}
		default:
			n := int(step/8) % len(open)
			p := open[n]
			open = append(open[:n], open[n+1:]...)
			var got Change
			want := Unchanged
			switch step % 8 {
			case 3, 5:
				got, want = h.Success(epoch.Add(now), &p.pass, time.Second), m.outcome(now, p, false)
			case 4, 6:
				got, want = h.Failure(epoch.Add(now), p.pass, ClassConnect), m.outcome(now, p, true)
			default:
				got = h.Failure(epoch.Add(now), p.pass, ClassCanceled)
			}
			h.End(&p.pass)
			if p.probe {
				m.probes--
			}
			if got != want {
				t.Fatalf("step %d at %v: changed %d, want %d", i, now, got, want)
			}
		}
		if int(h.InFlight()) != len(open) || h.probes != m.probes {
			t.Fatalf("step %d: %d in flight and %d probes, want %d and %d", i, h.InFlight(), h.probes, len(open), m.probes)
		}
	}
}

func TestRestsStayWithinTheirJitter(t *testing.T) {
	for _, rest := range []time.Duration{0, 10 * time.Second, 300 * time.Second} {
		low, high := jittered(rest, 0), jittered(rest, 1<<64-1)
		if low < rest*8/10 || low > rest || high < rest || high > rest*12/10 {
			t.Errorf("%v: got from %v to %v", rest, low, high)
		}
	}
}
