package llmgateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/report"
	"github.com/caddy-llm/llmgateway/accounting/usagedb"
)

// usagePath is where sums are asked for; the other reports are below it.
const usagePath = "/llm_gateway/usage"

// queryTimeout bounds how long ledgers may take to answer, to find the next entry, and a client to take what was written.
const queryTimeout = 30 * time.Second

// usage serves the sums.
func (adminAPI) usage(w http.ResponseWriter, r *http.Request) error {
	params, ledgers, err := usageQuestion(w, r)
	if err != nil {
		return err
	}
	req, err := report.ParseSums(params, time.Now())
	if err != nil {
		return apiError(http.StatusBadRequest, err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	sums, err := req.Run(ctx, ledgers)
	if err != nil {
		return ledgerError(ctx, err)
	}
	if req.Format == report.FormatCSV {
		w.Header().Set("Content-Type", contentTypeCSV)
		_, _ = w.Write(sums.AppendCSV(nil)) //nolint:gosec // not HTML; a client that has left is told nothing
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(sums.AppendJSON(nil)) //nolint:gosec // not HTML; a client that has left is told nothing
	return nil
}

// summary serves the flat summary for dashboards.
func (adminAPI) summary(w http.ResponseWriter, r *http.Request) error {
	params, ledgers, err := usageQuestion(w, r)
	if err != nil {
		return err
	}
	req, err := report.ParseSummary(params, time.Now())
	if err != nil {
		return apiError(http.StatusBadRequest, err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	summary, err := req.Run(ctx, ledgers)
	if err != nil {
		return ledgerError(ctx, err)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(summary)
	return nil
}

// entries serves the entries themselves, as they come out of the ledgers.
func (adminAPI) entries(w http.ResponseWriter, r *http.Request) error {
	params, ledgers, err := usageQuestion(w, r)
	if err != nil {
		return err
	}
	req, err := report.ParseEntries(params, time.Now())
	if err != nil {
		return apiError(http.StatusBadRequest, err)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	stalled := time.AfterFunc(queryTimeout, func() { cancel(context.DeadlineExceeded) })
	defer stalled.Stop()
	for i, l := range ledgers {
		ledgers[i] = watchedReader{l, stalled}
	}
	contentType := "application/x-ndjson"
	if req.Format == report.FormatCSV {
		contentType = contentTypeCSV
	}
	w.Header().Set("Content-Type", contentType)
	out := &entryOutput{w: w, control: http.NewResponseController(w)}
	err = req.Write(ctx, ledgers, out)
	switch {
	case err == nil:
		return nil
	case out.begun:
		// The status has been sent. Only an answer that breaks off shows that it is not all.
		panic(http.ErrAbortHandler)
	}
	return ledgerError(ctx, err)
}

const contentTypeCSV = "text/csv; charset=utf-8; header=present"

// watchedReader puts off a timer with every entry, so that it runs out when a ledger finds no more, or nobody takes what it found.
type watchedReader struct {
	accounting.Reader
	timer *time.Timer
}

func (r watchedReader) Entries(ctx context.Context, f accounting.Filter, yield func(*accounting.Entry) error) error {
	return r.Reader.Entries(ctx, f, func(e *accounting.Entry) error {
		r.timer.Reset(queryTimeout)
		return yield(e)
	})
}

// entryOutput writes to a client that has to keep reading.
type entryOutput struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (o *entryOutput) Write(p []byte) (int, error) {
	o.begun = true
	if err := o.control.SetWriteDeadline(time.Now().Add(queryTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return o.w.Write(p)
}

func (o *entryOutput) Flush() error {
	if err := o.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// usageQuestion checks what all reports have in common, and returns the parameters and whom to ask.
func usageQuestion(w http.ResponseWriter, r *http.Request) (url.Values, []accounting.Reader, error) {
	if err := onlyGET(w, r); err != nil {
		return nil, nil, err
	}
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, nil, apiError(http.StatusBadRequest, fmt.Errorf("the query string cannot be read: %w", err))
	}
	ledgers := liveReaders()
	if len(ledgers) == 0 {
		return nil, nil, apiError(http.StatusNotFound,
			errors.New("no running gateway has a ledger that can be asked what was spent; configure one: ledger sqlite"))
	}
	return params, ledgers, nil
}

func onlyGET(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodGet {
		return nil
	}
	w.Header().Set("Allow", http.MethodGet)
	return apiError(http.StatusMethodNotAllowed, fmt.Errorf("method %s is not allowed here", r.Method))
}

func apiError(status int, err error) error { return caddy.APIError{HTTPStatus: status, Err: err} }

// ledgerError says why there is no answer from the ledgers.
func ledgerError(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return apiError(http.StatusGatewayTimeout, fmt.Errorf("the ledger did not answer within %s; ask for a shorter period", queryTimeout))
	case errors.Is(err, usagedb.ErrRemoved):
		return apiError(http.StatusGone, err)
	case ctx.Err() != nil:
		return nil //nolint:nilerr // the client has left: nobody is there to read it
	}
	return apiError(http.StatusInternalServerError, fmt.Errorf("asking the ledger: %w", err))
}

// Interface guards
var (
	_ accounting.Reader = watchedReader{}
	_ report.Output     = (*entryOutput)(nil)
)
