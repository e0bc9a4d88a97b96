package integration

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/internal/faultllm"
)

// check is what has to hold after every row, whatever it was about.
func (r *faultRig) check() {
	if r.Failed() && r.c == nil {
		return
	}
	r.finished()
	r.checkBooks()
	r.checkSecrets()
	r.checkLeaks()
	for line := range strings.SplitSeq(r.c.log.text(), "\n") {
		if strings.Contains(line, "panic") || strings.Contains(line, "DATA RACE") {
			r.Errorf("T%d: in a log: %s", r.row, gwClip(line, 2000))
		}
	}
}

// checkBooks compares the ledger with the journals of the upstreams.
func (r *faultRig) checkBooks() {
	rows := faultBooks.all()
	if faultBooks.twice > 0 {
		r.Errorf("T%d: %d attempts are in the ledger twice", r.row, faultBooks.twice)
	}
	byRequest, byProvider := map[string]int{}, map[string][]accounting.Entry{}
	for _, e := range rows {
		byRequest[e.RequestID]++
		byProvider[e.Provider] = append(byProvider[e.Provider], e)
	}
	for id, n := range r.attempts {
		if byRequest[id] != n {
			r.Errorf("T%d: request %s has %d attempts by its header and %d rows", r.row, id, n, byRequest[id])
		}
	}
	for name, u := range r.ups {
		r.checkProvider(name, u, byProvider[name])
	}
}

// checkProvider compares the rows of one provider with its journal: each request that the provider saw has one row, and
// there is no row for what it did not see, unless the row says that nothing was sent.
func (r *faultRig) checkProvider(name string, u *faultllm.Upstream, rows []accounting.Entry) {
	journal := u.All()
	byID := map[string]*faultllm.Entry{}
	for i := range journal {
		byID[journal[i].ID] = &journal[i]
	}
	excused := 0
	for i := range rows {
		row := &rows[i]
		if row.ProviderRequestID == "" {
			switch row.ErrorClass {
			case "connect", "tls":
				excused++
			case "canceled", "timeout":
				excused++ // perhaps it never got there
			default:
				if r.unseen[name] {
					excused++
				}
			}
			continue
		}
		e := byID[row.ProviderRequestID]
		if e == nil {
			r.Errorf("T%d: a row of %s for %q, which it did not see or has two rows of: %+v", r.row, name, row.ProviderRequestID, row)
			continue
		}
		delete(byID, row.ProviderRequestID)
		r.checkRow(name, e, row)
	}
	if len(journal) > len(rows) || len(rows) > len(journal)+excused {
		r.Errorf("T%d: %s saw %d requests, and the ledger has %d rows of it, %d of which may have been lost on the way", r.row, name, len(journal), len(rows), excused)
	}
}

// checkRow compares what was charged with what the vendor would charge.
func (r *faultRig) checkRow(name string, e *faultllm.Entry, row *accounting.Entry) {
	if r.unsettled || e.Script.Usage != "" || e.Script.Mangle != nil || e.Script.Body != "" || e.Script.Head != "" {
		return
	}
	in, out, billed := e.Billed()
	ok := true
	switch {
	case e.Outcome == faultllm.Complete && e.Answered() && e.Script.ErrorAfter == 0 && row.ErrorClass == "":
		ok = row.Certainty == accounting.Reported && row.Usage.TotalInput() == int64(in) && row.Usage.TotalOutput() == int64(out)
	case !billed && e.Status == http.StatusTooManyRequests, !billed && e.Status >= 400 && e.Status < 500 && row.ErrorClass != "server_error" && row.ErrorClass != "timeout":
		ok = row.Certainty == accounting.Void && row.Cost == 0
	case !billed && e.Status >= 500:
		ok = row.Certainty == accounting.Void || row.Certainty == accounting.Unknown
	case billed && e.Pieces > 0 && row.ErrorClass != "" && row.Stream:
		// What was cut off was charged all the same, if the gateway saw any of it.
		ok = row.Certainty != accounting.Void && row.Usage.TotalOutput() <= 3*int64(e.Pieces)+8
	}
	if !ok {
		r.Errorf("T%d: %s charges %d and %d tokens (billed %v, %s, %d), the ledger says %s %+v", r.row, name, in, out, billed, e.Outcome, e.Status, row.Certainty, row)
	}
}

// checkSecrets looks for canaries wherever something is written down.
func (r *faultRig) checkSecrets() {
	canaries := append([]string{gwClientKey, gwPrompt}, r.keys...)
	gwClean(r.T, fmt.Sprintf("T%d: a log", r.row), r.c.log.text(), canaries...)
	r.must(!strings.Contains(r.c.log.text(), faultllm.Piece(1)), "no content in logs", "%s", gwAround(r.c.log.text(), faultllm.Piece(1)))
	gwClean(r.T, fmt.Sprintf("T%d: /config", r.row), r.c.adminGet("/config/"), canaries...)
	gwClean(r.T, fmt.Sprintf("T%d: /metrics", r.row), r.c.adminGet("/metrics"), canaries...)
	gwClean(r.T, fmt.Sprintf("T%d: the targets", r.row), r.c.adminGet("/llm_gateway/targets"), canaries...)
	gwClean(r.T, fmt.Sprintf("T%d: the ledger", r.row), fmt.Sprintf("%+v", faultBooks.all()), canaries...)
}

// faultSlack is how many goroutines and descriptors may come and go for reasons of the runtime's own.
const faultSlack = 5

// checkLeaks waits until the process holds what it held before.
func (r *faultRig) checkLeaks() {
	deadline := time.Now().Add(5 * time.Second)
	for {
		r.idle()
		goroutines, fds := runtime.NumGoroutine(), faultDescriptors()
		if goroutines <= r.goroutines+faultSlack && fds <= r.fds+faultSlack {
			return
		}
		if time.Now().After(deadline) {
			var stacks strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			r.Errorf("T%d: %d goroutines and %d descriptors, %d and %d before\n%s", r.row, goroutines, fds, r.goroutines, r.fds, gwClip(stacks.String(), 6000))
			return
		}
		<-time.After(10 * time.Millisecond)
	}
}

// gwAround is the place where a text holds another.
func gwAround(text, find string) string {
	i := max(strings.Index(text, find), 0)
	return text[max(0, i-300):min(len(text), i+300)]
}
