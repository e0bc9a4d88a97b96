package llmgateway

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/balancing"
	"github.com/caddy-llm/llmgateway/providers"
)

// The collectors are made once for the process: Caddy has a new registry at every load, and counters that were made
// with it would start again from zero.
var collectors = struct {
	requests, errors, attempts, fallbacks, tokens, cost, interrupted, invalid *prometheus.CounterVec
	duration, ttft                                                            *prometheus.HistogramVec
	overhead                                                                  prometheus.Histogram
	inFlight                                                                  prometheus.Gauge
}{
	requests:    counter("requests_total", "Requests by public model, provider that answered, client dialect and status class.", "model", "provider", "dialect", "status"),
	errors:      counter("errors_total", "Requests that ended with an error, by class of fault.", "model", "provider", "class"),
	attempts:    counter("attempts_total", "Calls to providers by outcome: ok or a class of fault.", "model", "provider", "outcome"),
	fallbacks:   counter("fallbacks_total", "Requests that were answered by another target than the first one tried.", "model", "provider"),
	tokens:      counter("tokens_total", "Tokens by class; the classes do not overlap.", "model", "provider", "type"),
	cost:        counter("cost_usd_total", "What requests cost, in US dollars.", "model", "provider"),
	interrupted: counter("streams_interrupted_total", "Streams that ended early after their first content, by who ended them.", "model", "provider", "by"),
	invalid:     counter("usage_invalid_total", "Attempts whose provider reported usage that cannot be true, so that they were estimated.", "model", "provider"),
	duration:    histogram("request_duration_seconds", "Time from the first byte of a request to the last of its response.", 0.05, 300),
	ttft:        histogram("time_to_first_token_seconds", "Time from sending a request to the first content of its response.", 0.02, 120),
	overhead: prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "llm_gateway", Name: "overhead_seconds",
		Help:                        "Time that the gateway itself spent on a request before it was sent to a provider.",
		Buckets:                     prometheus.ExponentialBuckets(0.00005, 2, 12),
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}),
	inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "caddy", Subsystem: "llm_gateway", Name: "requests_in_flight", Help: "Requests that are being worked on.",
	}),
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "caddy", Subsystem: "llm_gateway", Name: name, Help: help}, labels)
}

func histogram(name, help string, from, to float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "llm_gateway", Name: name, Help: help,
		Buckets:                     prometheus.ExponentialBucketsRange(from, to, 12),
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}, []string{"model", "provider"})
}

// targetsHealthy reports the pooled states when a scrape asks for them.
type targetsHealthy struct{ desc *prometheus.Desc }

var healthCollector = targetsHealthy{prometheus.NewDesc("caddy_llm_gateway_targets_healthy",
	"Whether a target may be used (1) or rests (0).", []string{"provider", "model"}, nil)}

func (c targetsHealthy) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c targetsHealthy) Collect(ch chan<- prometheus.Metric) {
	// Two providers of one name, in two blocks, make one series: it is healthy when all behind it is.
	all := map[[2]string]float64{}
	for _, t := range targetStates(time.Now(), false) {
		key := [2]string{t.Upstream, t.Model}
		if !t.public {
			key[1] = otherModel
		}
		healthy := 0.0
		if t.Healthy {
			healthy = 1
		}
		if have, ok := all[key]; ok {
			healthy = min(healthy, have)
		}
		all[key] = healthy
	}
	for key, healthy := range all {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, healthy, key[0], key[1])
	}
}

// ledgerStatus reports the ledgers when a scrape asks for them.
type ledgerStatus struct{ queued, available *prometheus.Desc }

var ledgerCollector = ledgerStatus{
	prometheus.NewDesc("caddy_llm_gateway_ledger_queue_length", "Entries that wait to be written to the storage of ledgers.", nil, nil),
	prometheus.NewDesc("caddy_llm_gateway_ledger_available", "Whether the storage of all ledgers takes entries (1) or not (0).", nil, nil),
}

func (c ledgerStatus) Describe(ch chan<- *prometheus.Desc) { ch <- c.queued; ch <- c.available }
func (c ledgerStatus) Collect(ch chan<- prometheus.Metric) {
	var queued int64
	available, monitored := 1.0, false
	for _, l := range liveLedgers() {
		m, ok := l.(accounting.Monitored)
		if !ok {
			continue
		}
		s := m.Status()
		queued += s.Pending
		monitored = true
		if s.Err != nil {
			available = 0
		}
	}
	if monitored {
		ch <- prometheus.MustNewConstMetric(c.queued, prometheus.GaugeValue, float64(queued))
		ch <- prometheus.MustNewConstMetric(c.available, prometheus.GaugeValue, available)
	}
}

// metrics is the handler's access to the collectors.
type metrics struct{ inFlight prometheus.Gauge }

// newMetrics registers the collectors with the registry of the configuration being loaded. Several handlers share them.
func newMetrics(reg *prometheus.Registry) (*metrics, error) {
	c := &collectors
	for _, x := range []prometheus.Collector{
		c.requests, c.errors, c.attempts, c.fallbacks, c.tokens, c.cost, c.interrupted, c.invalid,
		c.duration, c.ttft, c.overhead, c.inFlight, healthCollector, ledgerCollector,
	} {
		var already prometheus.AlreadyRegisteredError
		if err := reg.Register(x); err != nil && !errors.As(err, &already) {
			return nil, err
		}
	}
	return &metrics{inFlight: c.inFlight}, nil
}

// series is the metrics of one public model at one provider, looked up once and not for every request.
type series struct {
	model, provider string
	duration, ttft  prometheus.Observer
	cost, ok        prometheus.Counter
	tokens          [5]prometheus.Counter
}

var tokenTypes = [5]string{"input", "cache_read", "cache_write", "output", "reasoning"}

func (*metrics) series(model, provider string) *series {
	c := &collectors
	s := &series{
		model: model, provider: provider,
		duration: c.duration.WithLabelValues(model, provider),
		ttft:     c.ttft.WithLabelValues(model, provider),
		cost:     c.cost.WithLabelValues(model, provider),
		ok:       c.attempts.WithLabelValues(model, provider, "ok"),
	}
	for i, t := range tokenTypes {
		s.tokens[i] = c.tokens.WithLabelValues(model, provider, t)
	}
	return s
}

func (s *series) usage(u accounting.Usage) {
	for i, n := range [5]int64{
		u.Input + u.InputAudio + u.InputImage + u.InputVideo, u.CacheRead + u.CacheReadAudio + u.CacheReadImage,
		u.CacheWrite + u.CacheWrite1h, u.Output + u.OutputAudio + u.OutputImage, u.Reasoning,
	} {
		if n > 0 {
			s.tokens[i].Add(float64(n))
		}
	}
}

// finish reports a request, whatever became of it, and gives back what it held. It is the only place that does.
func (x *exchange) finish() {
	x.takeOver()
	k := x.keep
	k.Duration = time.Since(x.start)
	x.summarize()
	var first, last *attempt
	if k.Attempts > 0 {
		first, last = &x.attempts[0], x.last()
	}
	for i := range x.attempts {
		x.h.spending.add(&x.attempts[i])
		x.suspect(&x.attempts[i])
	}
	x.record()
	if x.h.metrics != nil {
		x.measure(first, last)
	}
	if accessLogged(x.r.Context()) {
		if elf, ok := x.r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
			elf.Set(zap.Object("llm", k))
		}
	}
	if !x.h.UsageLogOff {
		x.logUsage(k)
	}
	x.release()
	x.releaseKey()
	x.h.books.release() // which at an exit may be what makes the ledger write all that it has
	underway.leave(x)
}

// summarize brings the summary up to the attempts made so far. It is done before the response is written too, because
// headers of the response may hold placeholders.
func (x *exchange) summarize() {
	k := x.keep
	k.Attempts = len(x.attempts)
	if k.Attempts == 0 {
		return
	}
	last := x.last()
	k.Provider, k.UpstreamModel, k.Target = last.target.provider.name, last.target.model, last.target.label
	k.TTFT = last.ttft
	x.total()
}

// accessLogged reports whether the server may write an access log at all.
func accessLogged(ctx context.Context) bool {
	srv, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return !ok || srv.Logs != nil
}

// measure counts the request.
func (x *exchange) measure(first, last *attempt) {
	k, c := x.keep, &collectors
	model, provider := otherModel, ""
	if x.route != nil {
		model = x.route.label
	}
	if last != nil {
		provider = last.target.provider.name
		s := last.target.series
		s.duration.Observe(k.Duration.Seconds())
		if k.TTFT > 0 {
			s.ttft.Observe(k.TTFT.Seconds())
		}
		c.overhead.Observe(first.start.Sub(x.start).Seconds())
		for i := range x.attempts {
			a := &x.attempts[i]
			as := a.target.series
			if a.fault == nil {
				as.ok.Inc()
			} else {
				c.attempts.WithLabelValues(model, as.provider, string(a.fault.Class)).Inc()
			}
			as.usage(a.usage)
			if a.cost > 0 {
				as.cost.Add(float64(a.cost) / float64(accounting.Dollar))
			}
		}
		if last.target != first.target && k.Class == "" {
			c.fallbacks.WithLabelValues(model, provider).Inc()
		}
	}
	c.requests.WithLabelValues(model, provider, string(x.dialect), statusClass(k.Status)).Inc()
	if k.Class != "" {
		c.errors.WithLabelValues(model, provider, string(k.Class)).Inc()
	}
	if x.interrupted != "" {
		c.interrupted.WithLabelValues(model, provider, x.interrupted).Inc()
	}
}

func statusClass(status int) string {
	if status < 100 || status > 599 {
		return "none"
	}
	return [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}[status/100-1]
}

// logUsage writes the one line that every request leaves.
func (x *exchange) logUsage(k *summary) {
	if c := x.h.logger.Check(zapcore.InfoLevel, "usage"); c != nil {
		c.Write(zap.String("request_id", x.id), zap.Inline(k))
	}
}

// log reports a failed attempt that may be followed by another.
func (x *exchange) log(c choice, f *providers.Fault) {
	if e := x.h.logger.Check(zapcore.WarnLevel, "attempt failed"); e != nil {
		e.Write(
			zap.String("request_id", x.id),
			zap.Int("attempt", len(x.attempts)),
			zap.String("upstream", c.slot.up.label),
			zap.String("target", c.target.label),
			zap.String("class", string(f.Class)),
			zap.Int("status", f.Status),
			zap.Duration("retry_after", f.RetryAfter),
		)
	}
}

// report logs that a target was taken out of rotation or is back.
func (h *Handler) report(s *slot, change balancing.Change) {
	switch change {
	case balancing.TakenOut:
		h.logger.Warn("target taken out of rotation", zap.String("upstream", s.up.label), zap.String("model", s.model.model))
	case balancing.Recovered:
		h.logger.Info("target is back in rotation", zap.String("upstream", s.up.label), zap.String("model", s.model.model))
	}
}

// report logs that an endpoint was taken out of rotation by its health checks or is back.
func (c *healthCheck) report(up *upstream, change balancing.Change) {
	switch change {
	case balancing.TakenOut:
		c.logger.Warn("health checks took an endpoint out of rotation", zap.String("upstream", up.label))
	case balancing.Recovered:
		c.logger.Info("health checks brought an endpoint back into rotation", zap.String("upstream", up.label))
	}
}

// MarshalLogObject implements zapcore.ObjectMarshaler: the fields of the usage line and of the access log's llm object.
func (k *summary) MarshalLogObject(e zapcore.ObjectEncoder) error {
	for i := range k.values {
		if k.values[i] != "" {
			e.AddString(k.scopes[i].name, k.values[i])
		}
	}
	e.AddString("model", k.Model)
	if k.Attempts > 0 {
		e.AddString("provider", k.Provider)
		e.AddString("upstream_model", k.UpstreamModel)
		e.AddString("target", k.Target)
	}
	e.AddString("dialect", string(k.Dialect))
	e.AddBool("stream", k.Stream)
	e.AddInt("attempts", k.Attempts)
	e.AddInt("status", k.Status)
	if k.Class != "" {
		e.AddString("error", string(k.Class))
	}
	if k.Attempts > 0 {
		e.AddInt64("input_tokens", k.Usage.TotalInput())
		e.AddInt64("output_tokens", k.Usage.TotalOutput())
		e.AddInt64("cache_read_tokens", k.Usage.CacheRead)
		e.AddInt64("cache_write_tokens", k.Usage.CacheWrite+k.Usage.CacheWrite1h)
		e.AddInt64("reasoning_tokens", k.Usage.Reasoning)
		e.AddString("usage", k.Certainty.String())
		if k.Priced {
			e.AddFloat64("cost_usd", float64(k.Cost)/float64(accounting.Dollar))
		}
	}
	if k.TTFT > 0 {
		e.AddFloat64("ttft_ms", milliseconds(k.TTFT))
	}
	e.AddFloat64("duration_ms", milliseconds(k.Duration))
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

const placeholderPrefix = "http.llm_gateway."

// placeholder answers for {http.llm_gateway.*}.
func (k *summary) placeholder(key string) (any, bool) {
	if len(key) <= len(placeholderPrefix) || key[:len(placeholderPrefix)] != placeholderPrefix {
		return nil, false
	}
	switch key = key[len(placeholderPrefix):]; key {
	case "model":
		return k.Model, true
	case "provider":
		return k.Provider, true
	case "upstream_model":
		return k.UpstreamModel, true
	case "target":
		return k.Target, true
	case "attempts":
		return k.Attempts, true
	case "status":
		return k.Status, true
	case "error":
		return string(k.Class), true
	case "input_tokens":
		return k.Usage.TotalInput(), true
	case "output_tokens":
		return k.Usage.TotalOutput(), true
	case "cost_usd":
		if !k.Priced {
			return "", true // unknown is not zero
		}
		return k.Cost.String(), true
	case "ttft_ms":
		return strconv.FormatFloat(milliseconds(k.TTFT), 'f', -1, 64), true
	case "duration_ms":
		return strconv.FormatFloat(milliseconds(k.Duration), 'f', -1, 64), true
	case "stream":
		return k.Stream, true
	}
	for i := range k.values {
		if k.scopes[i].name == key {
			return k.values[i], true
		}
	}
	return nil, false
}
