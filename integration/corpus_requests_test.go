package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/caddy-llm/llmgateway/internal/wiretest"
)

// TestRecordedRequestsReachEveryProvider sends the requests of real clients, as they were recorded, to the providers of
// all other dialects. Requests that no other vendor could answer have to be refused, with a reason; these do not count.
func TestRecordedRequestsReachEveryProvider(t *testing.T) {
	corpusFolder(t)
	table, reviews := &corpusTable{}, &corpusReviews{list: corpusReviewedRequests}
	for _, endpoint := range wiretest.Endpoints() {
		t.Run(endpoint, func(t *testing.T) { corpusForward(t, endpoint, table, reviews) })
	}
	table.print(t)
	table.reach(t, corpusGoal)
	reviews.unused(t)
}

func corpusForward(t *testing.T, endpoint string, table *corpusTable, reviews *corpusReviews) {
	answers := corpusAnswers(t, endpoint)
	var pairs []*corpusPair
	all := 0
	for _, client := range wiretest.Clients() {
		if client == endpoint || client == wiretest.Chat && endpoint == wiretest.Mistral { // which is passed through
			continue
		}
		for _, e := range corpusLoad(t, client) {
			if e.Request == nil || e.Response.Status != http.StatusOK {
				continue
			}
			if all++; all%corpusEvery != 0 {
				continue
			}
			answer := answers[corpusWant{e.stream(), e.ask().Thinking == "on"}]
			if answer == nil {
				continue
			}
			n := len(pairs)
			pairs = append(pairs, &corpusPair{corpusExchange: answer, asked: e, client: client, number: n, name: fmt.Sprintf("x%d", n)})
		}
	}
	g := corpusStart(t, endpoint, pairs)
	g.each(func(p *corpusPair) {
		findings, refused := g.forward(t, p)
		rest := reviews.sort(table, p.asked.ID, p.client, findings)
		for _, f := range rest {
			t.Errorf("%s as %s: %s", p.asked.ID, endpoint, f)
		}
		if !refused || len(rest) > 0 {
			table.count(endpoint, p.client, p.asked.stream(), len(findings) == 0)
		}
	})
}

// corpusWant is a kind of answer: a stream or not, by a model that thinks or one that takes sampling options. Few models
// are both.
type corpusWant struct{ stream, thinks bool }

// corpusAnswers are an answer of an endpoint of each kind, if there is one, rather by the vendor that invented its dialect
// than by another.
func corpusAnswers(t *testing.T, endpoint string) map[corpusWant]*corpusExchange {
	out, best := map[corpusWant]*corpusExchange{}, map[corpusWant]int{}
	for _, e := range corpusLoad(t, endpoint) {
		r := e.reply()
		if e.Model == "" || e.Response.Status != http.StatusOK || e.stream() != e.Streaming || r.Breaches != nil {
			continue
		}
		worth := 1
		if slices.Contains(corpusInventors[endpoint], e.Provider) {
			worth += 2
		}
		thought := len(r.Thinking) > 0 || r.Usage != nil && r.Usage.Reasoning > 0
		for _, thinks := range []bool{false, true} {
			want := corpusWant{e.stream(), thinks}
			if w := worth; w > best[want] || thinks == thought && w+1 > best[want] {
				if thinks == thought {
					w++
				}
				out[want], best[want] = e, w
			}
		}
	}
	return out
}

// forward sends the recorded request of a pair and says what is wrong with what the provider got.
func (g *corpusGateway) forward(t *testing.T, p *corpusPair) (findings []string, refused bool) {
	stream, body := p.asked.stream(), []byte(p.asked.Request.Body)
	if p.client != wiretest.Gemini {
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(body, &doc); err != nil {
			return []string{"request: " + err.Error()}, false
		}
		var err error
		if doc["model"], err = json.Marshal(p.name); err == nil {
			body, err = json.Marshal(doc)
		}
		if err != nil {
			return []string{"request: " + err.Error()}, false
		}
	}
	a, err := g.send(t, p, stream, body)
	if err != nil {
		return []string{"gateway: " + err.Error()}, false
	}
	if !a.passedOn {
		return []string{fmt.Sprintf("refused: %d %s", a.status, wiretest.ReadReply(p.client, a.status, a.contentType, []byte(a.body)).Error)}, true
	}
	for _, f := range wiretest.CompareAsks(wiretest.ReadAsk(p.client, stream, body), a.received.ask(p.Endpoint)) {
		findings = append(findings, "request: "+f)
	}
	return findings, false
}
