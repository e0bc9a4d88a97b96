package integration

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/caddy-llm/llmgateway/internal/wiretest"
	"github.com/caddy-llm/llmgateway/providers"
)

// corpusGoal is the least share of pairs that have to pass, in percent.
const corpusGoal = 98

// TestRecordedExchangesAreTranslated asks for every recorded exchange in the dialects of other clients: the request, as
// such a client would have written it, has to reach the provider with all it says, and the recorded answer has to reach
// the client with all it says, each by the rules of the dialect that it is written in.
func TestRecordedExchangesAreTranslated(t *testing.T) {
	corpusFolder(t)
	table, reviews := &corpusTable{}, &corpusReviews{list: corpusReviewed}
	for _, endpoint := range wiretest.Endpoints() {
		t.Run(endpoint, func(t *testing.T) { corpusTranslate(t, endpoint, table, reviews) })
	}
	table.print(t)
	table.reach(t, corpusGoal)
	reviews.unused(t)
}

func corpusTranslate(t *testing.T, endpoint string, table *corpusTable, reviews *corpusReviews) {
	var pairs []*corpusPair
	all := 0
	for _, e := range corpusLoad(t, endpoint) {
		for _, client := range wiretest.Clients() {
			if client != endpoint {
				if all++; all%corpusEvery != 0 {
					continue
				}
				n := len(pairs)
				pairs = append(pairs, &corpusPair{corpusExchange: e, client: client, number: n, name: fmt.Sprintf("x%d", n)})
			}
		}
	}
	g := corpusStart(t, endpoint, pairs)
	g.each(func(p *corpusPair) {
		findings := g.translate(t, p)
		table.count(endpoint, p.client, p.stream(), len(findings) == 0)
		for _, f := range reviews.sort(table, p.ID, p.client, findings) {
			t.Errorf("%s for %s: %s", p.ID, p.client, f)
		}
	})
}

// translate sends the request of a pair and says what is wrong with what the provider and the client got.
func (g *corpusGateway) translate(t *testing.T, p *corpusPair) (findings []string) {
	original := p.ask()
	original.Model, original.Stream = p.name, p.stream()
	body := wiretest.WriteAsk(p.client, original)
	want := wiretest.ReadAsk(p.client, p.stream(), body)
	a, err := g.send(t, p, p.stream(), body)
	if err != nil {
		return []string{"gateway: " + err.Error()}
	}
	if !a.passedOn {
		return []string{fmt.Sprintf("request: refused with %d %s", a.status, gwClip(a.body, 300))}
	}
	got := a.received.ask(p.Endpoint)
	if p.Response.Status >= 400 {
		got.Breaches = nil // what the provider refused may well have been the client's mistake
	} else {
		for _, b := range want.Breaches {
			t.Errorf("%s: the request as a client of %s breaks a rule: %s", p.ID, p.client, b)
		}
	}
	for _, f := range wiretest.CompareAsks(want, got) {
		findings = append(findings, "request: "+f)
	}
	reply := wiretest.ReadReply(p.client, a.status, a.contentType, []byte(a.body))
	if a.body == string(p.bytes) {
		reply.Breaches = nil // the provider's: it speaks the client's dialect in all but name
	}
	for _, f := range wiretest.CompareReplies(p.due(), reply, p.client) {
		findings = append(findings, "reply: "+f)
	}
	return findings
}

// due is the reply that a client has to get: the recorded one, unless it is the gateway that the provider refused.
func (p *corpusPair) due() *wiretest.Reply {
	reply := p.reply()
	if p.Response.Status < 400 {
		return reply
	}
	switch providers.Classify(providers.Chat, p.Response.Status, nil, p.bytes).Class {
	case providers.ClassAuth, providers.ClassBilling:
		reply.Status, reply.Error = http.StatusBadGateway, "credential"
	}
	return reply
}
