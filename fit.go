package llmgateway

import (
	"bytes"
	"slices"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/balancing"
)

// needs is what a request asks of a model that not every model has. It is worked out when a target is first found to lack
// something.
type needs struct {
	known  bool
	can    accounting.Capability
	window int64 // the context window that the last target turned out to be too small for; 0 for none
}

// fits reports whether a target can take the request, by what the price book knows of its model. What is not known does not
// stand in the way, and a lone target has to do.
func (t *target) fits(x *exchange) bool {
	if t.price == nil || x.route.lone() {
		return true
	}
	if w := t.price.ContextWindow; w > 0 && (w <= x.needs.window || x.inputSize > w && x.h.estimator.Input(t.label, x.inputSize) > w) {
		return false
	}
	if !t.price.CanKnown || t.price.Can.Has(demanding) {
		return true
	}
	return t.price.Can.Has(x.wants())
}

// demanding is everything that a request can be seen to need.
const demanding = accounting.Tools | accounting.Vision | accounting.PDF | accounting.Audio

// marks are how requests say what they need, in any of the clients' dialects: as names or values, and never in a text, where
// the quotation marks would be escaped. Their root is looked for first, because most large requests do not even have that.
var marks = [...]struct {
	can   accounting.Capability
	root  string
	texts []string
}{
	{accounting.Vision, "image", []string{`"image_url"`, `"input_image"`, `"image"`, `"image/`}},
	{accounting.PDF, "application/pdf", []string{`"application/pdf"`, `data:application/pdf`}},
	{accounting.Audio, "audio", []string{`"input_audio"`, `"audio/`}},
}

// wants is what the request needs.
func (x *exchange) wants() accounting.Capability {
	n := &x.needs
	if n.known {
		return n.can
	}
	n.known = true
	if x.head.HasTools {
		n.can |= accounting.Tools
	}
	for i := range marks {
		m := &marks[i]
		at := bytes.Index(x.body, []byte(m.root))
		if at < 0 {
			continue
		}
		rest := x.body[max(at-len(`"input_`), 0):]
		if slices.ContainsFunc(m.texts, func(text string) bool { return bytes.Contains(rest, []byte(text)) }) {
			n.can |= m.can
		}
	}
	return n.can
}

// sound reports whether a target should get the request while there are others: one that it fits, and of the requests after
// a recovery only the share that a slow start allows.
func (t *target) sound(x *exchange, now time.Time) bool {
	if x.lenient {
		return true
	}
	if !t.fits(x) {
		return false
	}
	for _, s := range t.slots {
		ramp := min(s.up.state.health.Ramp(now), s.model.health.Ramp(now))
		if ramp >= 1 || float64(balancing.Rand()>>11)/(1<<53) < ramp {
			return true
		}
	}
	return false
}

const (
	// maxPrefixes bounds how many sessions a model is remembered for.
	maxPrefixes = 4096
	// prefixLife is how long providers keep a prompt cached that is not used.
	prefixLife = 5 * time.Minute
)

// prefix is what a provider has in its prompt cache for a session.
type prefix struct {
	tokens int64
	at     time.Time
}

// remember notes how much of a session the provider has cached, for the expected cost of its next request.
func (m *modelState) remember(session uint64, tokens int64, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.prefixes == nil {
		m.prefixes = map[uint64]prefix{}
	}
	if _, ok := m.prefixes[session]; !ok && len(m.prefixes) >= maxPrefixes {
		for k, p := range m.prefixes { // the first that is too old, or any
			delete(m.prefixes, k)
			if now.Sub(p.at) < prefixLife {
				break
			}
		}
	}
	m.prefixes[session] = prefix{tokens, now}
}

// cached is how many tokens of a session's next request are expected to come from the cache.
func (m *modelState) cached(session uint64, now time.Time) int64 {
	if session == 0 {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p, ok := m.prefixes[session]; ok && now.Sub(p.at) < prefixLife {
		return p.tokens
	}
	return 0
}
