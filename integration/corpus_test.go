package integration

import (
	"fmt"
	"sync"
	"testing"

	"github.com/caddy-llm/llmgateway/internal/wiretest"
)

// corpusGoal is the least share of pairs that have to pass, in percent.
const corpusGoal = 98

// TestRecordedExchangesAreTranslated asks for every recorded exchange in the dialects of other clients: the request, as
// such a client would have written it, has to reach the provider with all it says, and the recorded answer has to reach
// the client with all it says, each by the rules of the dialect that it is written in.
func TestRecordedExchangesAreTranslated(t *testing.T) {
	corpusFolder(t)
	table := &corpusTable{}
	reviews := &corpusReviews{list: corpusReviewed}
	for _, endpoint := range wiretest.Endpoints() {
		t.Run(endpoint, func(t *testing.T) { corpusTranslate(t, endpoint, table, reviews) })
	}
	table.print(t)
	if got := table.percent(); got < corpusGoal {
		t.Errorf("%.2f %% of the pairs pass, not %d %%", got, corpusGoal)
	}
	reviews.unused(t)
}

func corpusTranslate(t *testing.T, endpoint string, table *corpusTable, reviews *corpusReviews) {
	var pairs []*corpusPair
	for _, e := range corpusLoad(t, endpoint) {
		for _, client := range wiretest.Clients() {
			if client != endpoint {
				n := len(pairs)
				pairs = append(pairs, &corpusPair{corpusExchange: e, client: client, number: n, name: fmt.Sprintf("x%d", n)})
			}
		}
	}
	g := corpusStart(t, endpoint, pairs)
	work := make(chan *corpusPair)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for p := range work {
				findings := g.check(t, p)
				table.count(endpoint, p.client, p.stream(), len(findings) == 0)
				rest, reasons := reviews.sort(p.ID, p.client, findings)
				for _, because := range reasons {
					table.note("%s for %s: %s", p.ID, p.client, because)
				}
				for _, f := range rest {
					t.Errorf("%s for %s: %s", p.ID, p.client, f)
				}
			}
		})
	}
	for _, p := range pairs {
		work <- p
	}
	close(work)
	workers.Wait()
}
