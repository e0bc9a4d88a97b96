package llmgateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-llm/llmgateway/providers"
)

const (
	// defaultDrain is how long a provider's answer is read on after its client has left.
	defaultDrain = 30 * time.Second
	// maxDrains is how many answers at a time are.
	maxDrains = 64
)

// drains has an element for every answer that is read on without a client.
var drains = make(chan struct{}, maxDrains)

// errLeft cancels attempts whose client has left.
var errLeft = errors.New("the client went away")

// attemptContext is the context of the request's attempts: canceled when the process exits and when the client leaves or,
// where the route reads answers to their end, some time after. The function returned ends it.
func (x *exchange) attemptContext() (context.Context, func()) {
	client, patience := x.r.Context(), x.route.drain
	if patience <= 0 {
		ctx, cancel := context.WithCancelCause(client)
		underway.enter(x, cancel)
		return ctx, func() { cancel(errDone) }
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(client))
	underway.enter(x, cancel)
	stop := context.AfterFunc(client, func() {
		select {
		case drains <- struct{}{}:
			defer func() { <-drains }()
		default:
			cancel(errLeft)
			return
		}
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(errLeft)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		stop()
		cancel(errDone)
	}
}

// left is the fault of an attempt whose client has left. What was generated is paid for, or disconnecting would be a way to
// get tokens for nothing.
func left() *providers.Fault {
	return &providers.Fault{Class: providers.ClassCanceled, Message: errLeft.Error(), Billed: providers.BilledYes}
}

// parseDisconnect reads
//
//	on_client_disconnect cancel | drain [<duration>]
func parseDisconnect(d *caddyfile.Dispenser, t *Timeouts) error {
	if t.Drain != 0 {
		return d.Err("on_client_disconnect already specified")
	}
	args := d.RemainingArgs()
	switch strings.Join(args[:min(len(args), 1)], "") {
	case "cancel":
		if len(args) == 1 {
			t.Drain = -1
			return nil
		}
	case "drain":
		if len(args) == 1 {
			return drainFor(d, t, defaultDrain.String())
		}
		if len(args) == 2 {
			return drainFor(d, t, args[1])
		}
	}
	return wrongArgs(d, "on_client_disconnect")
}

func drainFor(d *caddyfile.Dispenser, t *Timeouts, v string) (err error) {
	t.Drain, err = parseDuration(d, "on_client_disconnect drain", v)
	return err
}
