package balancing

import "time"

const ms = time.Millisecond

// lognormal and pareto are targets with such latencies. Prices grow with speed.
func lognormal(median time.Duration, sigma float64) *simTarget {
	return &simTarget{latency: spread{median: median, sigma: sigma}, answer: 2 * time.Second, price: priceOf(median)}
}

func pareto(median time.Duration, alpha float64) *simTarget {
	return &simTarget{latency: spread{median: median, alpha: alpha}, answer: 2 * time.Second, price: priceOf(median)}
}

func priceOf(median time.Duration) tariff {
	in := max(1_500_000/median.Milliseconds(), 100)
	return tariff{in: in, cached: in / 10, out: 5 * in}
}

// three are targets of distinct speeds, the fastest first.
func three() []*simTarget {
	return []*simTarget{lognormal(300*ms, 0.5), lognormal(450*ms, 0.5), lognormal(900*ms, 0.5)}
}

// troubled is three with trouble at the first.
func troubled(f ...trouble) func() []*simTarget {
	return func() []*simTarget {
		t := three()
		t[0].troubles = f
		return t
	}
}

// The trouble lasts for the second minute of five.
const (
	troubleFrom = 60 * time.Second
	troubleTo   = 120 * time.Second
)

var duringTrouble = []time.Duration{troubleFrom, troubleTo}

func scenarios() []scenario {
	return []scenario{
		{name: "steady 0.2/s", rate: 0.2, requests: 4000, targets: three},
		{name: "steady 2/s", rate: 2, requests: 6000, targets: three},
		{name: "steady 20/s", rate: 20, requests: 6000, targets: three},
		{name: "steady 200/s", rate: 200, requests: 12000, targets: three},
		{name: "two alike", rate: 20, requests: 6000, targets: func() []*simTarget {
			return []*simTarget{lognormal(300*ms, 0.5), lognormal(300*ms, 0.5)}
		}},
		{name: "eight targets", rate: 20, requests: 6000, targets: eight},
		{name: "heavy tails", attempts: 1.01, rate: 20, requests: 6000, targets: heavy},
		{
			name: "slow minute", rate: 20, requests: 6000, changes: duringTrouble,
			targets: troubled(trouble{from: troubleFrom, to: troubleTo, slow: 8}),
		},
		{
			name: "slow minute 2/s", rate: 2, requests: 6000, changes: duringTrouble,
			targets: troubled(trouble{from: troubleFrom, to: troubleTo, slow: 8}),
		},
		{
			name: "outage, refusing", attempts: 1.05, recovers: true, rate: 20, requests: 6000, changes: duringTrouble,
			targets: troubled(trouble{from: troubleFrom, to: troubleTo, fails: 1, class: ClassConnect, after: 20 * ms}),
		},
		{
			name: "outage, hanging", attempts: 1.05, rate: 20, requests: 6000, changes: duringTrouble, firstToken: 10 * time.Second,
			targets: troubled(trouble{from: troubleFrom, to: troubleTo, fails: 1, class: ClassTimeout}),
		},
		{
			name: "outage, cheapest", attempts: 1.05, guesswork: true, rate: 20, requests: 6000, changes: duringTrouble,
			targets: func() []*simTarget { return down(2) },
		},
		{
			name: "outage of all", attempts: 1.05, down: true, recovers: true, rate: 20, requests: 6000, changes: duringTrouble,
			targets: func() []*simTarget { return down(0, 1, 2) },
		},
		{
			name: "20 % failures", attempts: 1.25, rate: 20, requests: 6000,
			targets: troubled(trouble{to: time.Hour, fails: 0.2, class: ClassServerError, after: 100 * ms}),
		},
		{
			name: "flapping", attempts: 1.05, erratic: true, rate: 20, requests: 6000,
			targets: troubled(trouble{
				from: 20 * time.Second, to: time.Hour, every: 15 * time.Second, on: 5 * time.Second,
				fails: 1, class: ClassOverloaded, after: 50 * ms,
			}),
		},
		{name: "429 storms", attempts: 1.05, rate: 20, requests: 6000, targets: func() []*simTarget { return refusing(Limit{}) }},
		{name: "429, limit kept", rate: 20, requests: 6000, targets: func() []*simTarget { return refusing(Limit{Requests: vendorRate}) }},
		{name: "price change", rate: 20, requests: 6000, targets: repriced},
		{name: "prices that cross", guesswork: true, rate: 20, requests: 6000, targets: crossing},
		{name: "load, 1 gateway", rate: 20, requests: 6000, targets: loaded},
		{name: "load, 2 gateways", rate: 20, requests: 6000, gateways: 2, targets: loaded},
		{name: "sessions", rate: 20, requests: 6000, sessions: 100, turns: 10, targets: three},
		{
			name: "sessions, outage", attempts: 1.05, recovers: true, erratic: true, rate: 20, requests: 6000, sessions: 100, turns: 10, changes: duringTrouble,
			targets: troubled(trouble{from: troubleFrom, to: troubleTo, fails: 1, class: ClassConnect, after: 20 * ms}),
		},
	}
}

// down is three of which some answer with errors for a minute.
func down(which ...int) []*simTarget {
	t := three()
	for _, i := range which {
		t[i].troubles = []trouble{{from: troubleFrom, to: troubleTo, fails: 1, class: ClassServerError, after: 50 * ms}}
	}
	return t
}

func weighted(weights []int) []*simTarget {
	t := three()
	for i, w := range weights {
		t[i].weight = w
	}
	return t
}

func eight() []*simTarget {
	var all []*simTarget
	for _, median := range []int64{1200, 800, 300, 2000, 600, 350, 500, 1500} {
		all = append(all, lognormal(time.Duration(median)*ms, 0.5))
	}
	return all
}

func heavy() []*simTarget {
	return []*simTarget{pareto(500*ms, 2.2), lognormal(900*ms, 1), pareto(300*ms, 2.2), lognormal(500*ms, 0.9), pareto(1500*ms, 1.5)}
}

// vendorRate is what the vendor of the first target allows, a quarter of the requests.
var vendorRate = Rate{N: 50, Per: 10 * time.Second}

func refusing(limit Limit) []*simTarget {
	t := three()
	t[0].vendor, t[0].limit = vendorRate, limit
	return t
}

// repriced targets change places in the middle of the run.
func repriced() []*simTarget {
	t := three()
	t[0].later, t[0].priceAt = t[2].price, 150*time.Second
	t[2].later, t[2].priceAt = t[0].price, 150*time.Second
	return t
}

// crossing targets are cheapest for long answers, or for short ones.
func crossing() []*simTarget {
	t := three()
	t[0].price = tariff{in: 1000, out: 8000}
	t[1].price = tariff{in: 2500, out: 2500}
	return t
}

// loaded targets are servers whose latency doubles with so many requests in flight.
func loaded() []*simTarget {
	t := []*simTarget{lognormal(300*ms, 0.3), lognormal(300*ms, 0.3), lognormal(450*ms, 0.3), lognormal(450*ms, 0.3)}
	for i, c := range []float64{8, 16, 16, 32} {
		t[i].capacity = c
	}
	return t
}
