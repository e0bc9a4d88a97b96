package llmgateway

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/tidwall/gjson"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/report/reporttest"
	"github.com/caddy-llm/llmgateway/accounting/usagedb"
)

// askedLedger is a ledger that can only be asked.
type askedLedger struct {
	accounting.Reader
	store string
}

func (askedLedger) Record(context.Context, []accounting.Entry) error { return nil }

func (l askedLedger) Status() accounting.LedgerStatus { return accounting.LedgerStatus{Store: l.store} }

// enlistLedger makes a ledger known as the one of a gateway.
func enlistLedger(store string, r accounting.Reader) (remove func()) {
	h := &Handler{books: openBooks(askedLedger{r, store})}
	h.table.Store(&table{h: h})
	h.enlist()
	return h.delist
}

// withReaders makes ledgers known for the time of a test.
func withReaders(t testing.TB, rs ...accounting.Reader) {
	t.Helper()
	for i, r := range rs {
		t.Cleanup(enlistLedger(string(rune('a'+i)), r))
	}
}

// spent are two calls, an hour ago and just now.
func spent() *reporttest.Memory {
	now := time.Now()
	return &reporttest.Memory{Kept: []accounting.Entry{
		{AttemptID: "1", Attempt: 1, Time: now.Add(-time.Hour), User: "alice", Model: "m", Priced: true, Cost: 1_250_000_000, Certainty: accounting.Reported, Usage: accounting.Usage{Input: 7, Output: 3}},
		{AttemptID: "2", Attempt: 1, Time: now.Add(-time.Millisecond), User: "=bob", Model: "n", Priced: true, Cost: 1, Certainty: accounting.Reported, Usage: accounting.Usage{Input: 1}},
	}}
}

// adminServer serves the routes as Caddy's admin endpoint does: errors become JSON.
func adminServer() http.Handler {
	mux := http.NewServeMux()
	for _, route := range (adminAPI{}).Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			err := route.Handler.ServeHTTP(w, r)
			if err == nil {
				return
			}
			status := http.StatusInternalServerError
			if api, ok := errors.AsType[caddy.APIError](err); ok {
				status = api.HTTPStatus
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
		})
	}
	return mux
}

func askServer(target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	adminServer().ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

func TestTheAdminEndpointAddsUp(t *testing.T) {
	withReaders(t, spent())
	w := askServer("/llm_gateway/usage?by=user&since=1d&user=alice")
	body := w.Body.String()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || !json.Valid([]byte(body)) {
		t.Fatalf("%d %v %s", w.Code, w.Header(), body)
	}
	for path, want := range map[string]string{
		"rows.#": "1", "rows.0.user": "alice", "rows.0.cost_usd": "1.25", "rows.0.input_tokens": "7", "rows.0.output_tokens": "3", "total.cost_nano": "1250000000", "more": "false",
	} {
		if got := gjson.Get(body, path).String(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	w = askServer("/llm_gateway/usage?by=user&since=1d&format=csv")
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil || len(rows) != 3 || rows[2][0] != "'=bob" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") {
		t.Errorf("%v %q %v", err, rows, w.Header())
	}
}

func TestTheAdminEndpointSummarizes(t *testing.T) {
	withReaders(t, spent())
	w := askServer("/llm_gateway/usage/summary?tz=UTC")
	now := time.Now().UTC()
	want := 1.0
	if now.Add(-time.Hour).Day() == now.Day() {
		want = 2
	}
	body := w.Body.String()
	if got := gjson.Get(body, "today_requests").Float(); w.Code != http.StatusOK || got != want {
		t.Errorf("%d %s, want %v requests today", w.Code, body, want)
	}
	if gjson.Get(body, "timezone").String() != "UTC" || gjson.Get(body, "models.0.model").String() == "" {
		t.Error(body)
	}
}

func TestTheAdminEndpointStreamsEntries(t *testing.T) {
	withReaders(t, spent(), new(reporttest.Memory))
	w := askServer("/llm_gateway/usage/entries?since=1d")
	lines := strings.Split(strings.TrimSuffix(w.Body.String(), "\n"), "\n")
	if len(lines) != 2 || gjson.Get(lines[0], "attempt_id").String() != "1" || gjson.Get(lines[1], "user").String() != "=bob" || w.Header().Get("Content-Type") != "application/x-ndjson" || !w.Flushed {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	w = askServer("/llm_gateway/usage/entries?since=1d&format=csv&user=%3Dbob")
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][5] != "'=bob" {
		t.Errorf("%v %q", err, rows)
	}
}

func TestQuestionsThatHaveNoAnswer(t *testing.T) {
	paths := []string{"/llm_gateway/usage", "/llm_gateway/usage/summary", "/llm_gateway/usage/entries"}
	for _, path := range paths {
		if w := askServer(path); w.Code != http.StatusNotFound || !strings.Contains(gjson.Get(w.Body.String(), "error").String(), "ledger sqlite") {
			t.Errorf("%s without a ledger: %d %s", path, w.Code, w.Body)
		}
	}
	withReaders(t, &reporttest.Memory{Err: errors.New("disk on fire")})
	for _, path := range paths {
		for query, want := range map[string]struct {
			status int
			text   string
		}{
			"":          {http.StatusInternalServerError, "asking the ledger: disk on fire"},
			"?usr=a":    {http.StatusBadRequest, `usr: there is no such parameter; did you mean "user"?`},
			"?user=a%2": {http.StatusBadRequest, "the query string cannot be read"},
			"?a;b":      {http.StatusBadRequest, "the query string cannot be read"},
		} {
			w := askServer(path + query)
			if got := gjson.Get(w.Body.String(), "error").String(); w.Code != want.status || !strings.Contains(got, want.text) {
				t.Errorf("%s%s: %d %s", path, query, w.Code, w.Body)
			}
		}
	}
	for _, path := range append(paths, "/llm_gateway/models") {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions} {
			w := httptest.NewRecorder()
			adminServer().ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodGet {
				t.Errorf("%s %s: %d %v", method, path, w.Code, w.Header())
			}
		}
	}
}

// stuck is a ledger that yields so many entries and then hangs until it is told to stop.
type stuck struct{ entries int }

func (s stuck) Sums(ctx context.Context, _ accounting.Query) ([]accounting.Sum, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s stuck) Entries(ctx context.Context, _ accounting.Filter, yield func(*accounting.Entry) error) error {
	for range s.entries {
		time.Sleep(time.Second) // virtual
		if err := yield(&accounting.Entry{User: "alice"}); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestALedgerThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remove := enlistLedger("stuck", stuck{})
		defer remove()
		for _, path := range []string{"/llm_gateway/usage", "/llm_gateway/usage/summary", "/llm_gateway/usage/entries"} {
			began := time.Now()
			w := askServer(path)
			if took := time.Since(began); w.Code != http.StatusGatewayTimeout || took != queryTimeout || !strings.Contains(w.Body.String(), "30s") {
				t.Errorf("%s: %d %s after %v", path, w.Code, w.Body, took)
			}
			ctx, leave := context.WithTimeout(t.Context(), time.Second)
			w, began = httptest.NewRecorder(), time.Now()
			adminServer().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
			leave()
			if took := time.Since(began); took != time.Second {
				t.Errorf("%s: %d after %v for a client that left", path, w.Code, took)
			}
		}
	})
}

func TestAnExportThatFailsOnTheWayBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		remove := enlistLedger("stuck", stuck{entries: 100})
		defer remove()
		began := time.Now()
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler {
					t.Errorf("ended with %v", v)
				}
			}()
			adminServer().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/llm_gateway/usage/entries", nil))
		}()
		// A hundred seconds are more than a query may take, but there was something every second of them.
		if took := time.Since(began); took != 100*time.Second+queryTimeout || strings.Count(w.Body.String(), "\n") != 100 {
			t.Errorf("%d lines after %v", strings.Count(w.Body.String(), "\n"), took)
		}
	})
}

// torrent is a ledger with more entries than anybody will read.
type torrent struct {
	reporttest.Memory
	ended chan error
}

func (r *torrent) Entries(ctx context.Context, _ accounting.Filter, yield func(*accounting.Entry) error) error {
	e := accounting.Entry{User: strings.Repeat("x", 1000)}
	for {
		if err := errors.Join(ctx.Err(), yield(&e)); err != nil {
			r.ended <- err
			return err
		}
	}
}

func TestAClientThatLeavesEndsTheExport(t *testing.T) {
	r := &torrent{ended: make(chan error, 1)}
	withReaders(t, r)
	srv := httptest.NewServer(adminServer())
	defer srv.Close()
	resp, err := http.Get(srv.URL + "/llm_gateway/usage/entries")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
		t.Error(err)
	}
	resp.Body.Close()
	if err := <-r.ended; err == nil {
		t.Error("the ledger was read to its end")
	}
}

func TestALedgerIsAskedOnceWhileConfigurationsOverlap(t *testing.T) {
	m := spent()
	withReaders(t, m, spent())
	removeOlder := enlistLedger("a", m)
	newGateway(t, withProvider("without-reports")) // its ledger cannot be asked
	without := new(Handler)
	without.enlist()
	defer without.delist()
	for range 2 {
		got := liveReaders()
		if len(got) != 2 || got[0].(askedLedger).Reader != m {
			t.Errorf("%d ledgers: %v", len(got), got)
		}
		removeOlder()
	}
}

func TestSumsOfRowsThatWereRemovedAreGone(t *testing.T) {
	withReaders(t, &reporttest.Memory{Err: fmt.Errorf("%w: it can begin at noon", usagedb.ErrRemoved)})
	if w := askServer("/llm_gateway/usage"); w.Code != http.StatusGone || !strings.Contains(w.Body.String(), "it can begin at noon") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
