package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// bench is one run.
type bench struct {
	dir      string
	binary   string
	cores    cores
	plan     plan
	extra    string // lines for the gateway's block
	progress io.Writer

	provider      *process
	providerStdin io.Closer
	providerAddr  string
	control       control
	laneIDs       []laneID // the lanes that this Caddy can have
	lanes         []*lane  // the running Caddy processes
	started       int
	load          generator
}

// slot is one cell of the table while it is measured.
type slot struct {
	scenario scenario
	lane     *lane
	request  []byte
	samples  []sample
}

// measure runs the scenarios and returns the report.
func (b *bench) measure(ctx context.Context, sets [][]scenario) (*report, error) {
	r := &report{}
	var noise noiseMeter
	for _, set := range sets {
		if set[0].kind == idle {
			b.stopLanes()
			rows, err := b.measureIdle(ctx, set[0])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", set[0].name, err)
			}
			r.Rows = append(r.Rows, rows...)
			continue
		}
		slots, err := b.slots(ctx, set)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(b.progress, "measuring %s ...\n", names(set))
		if err := noise.begin(b); err != nil {
			return nil, err
		}
		if err := b.runSlots(ctx, slots); err != nil {
			return nil, fmt.Errorf("%s: %w", names(set), err)
		}
		if err := noise.end(b); err != nil {
			return nil, err
		}
		r.Rows = append(r.Rows, loadRows(set, slots)...)
	}
	r.Others = noise.share()
	return r, nil
}

func names(set []scenario) string {
	all := make([]string, len(set))
	for i, s := range set {
		all[i] = s.name
	}
	return strings.Join(all, " and ")
}

// slots lists the cells of a set, starting the processes that are not running yet. Only gateways can translate: the
// other lanes are measured once per set.
func (b *bench) slots(ctx context.Context, set []scenario) ([]*slot, error) {
	if len(b.lanes) == 0 {
		for _, id := range b.laneIDs {
			if id == direct {
				continue
			}
			if _, err := b.startLane(ctx, id); err != nil {
				return nil, err
			}
		}
	}
	lanes := append([]*lane{{id: direct, addr: b.providerAddr}}, b.lanes...)
	var slots []*slot
	for i, s := range set {
		for _, l := range lanes {
			if i == 0 || l.id.isGateway() {
				slots = append(slots, &slot{scenario: s, lane: l, request: renderRequest(l.addr, requestBody(s))})
			}
		}
	}
	return slots, nil
}

// runSlots runs all cells of a set in rounds. Each round starts with another cell, so that none has a fixed place.
func (b *bench) runSlots(ctx context.Context, slots []*slot) error {
	for _, s := range slots {
		if err := b.verify(ctx, s); err != nil {
			return fmt.Errorf("lane %s: %w", s.lane.id, err)
		}
		if s.scenario.kind == unary {
			if _, err := b.runSlot(ctx, s, b.plan.warmup); err != nil {
				return err
			}
		}
	}
	rounds := b.plan.rounds
	if slots[0].scenario.kind == streams {
		rounds = b.plan.streamRounds
		if err := b.control.setScript(script{Deltas: b.plan.deltas, Interval: b.plan.interval}); err != nil {
			return err
		}
	}
	for round := range rounds {
		for i := range slots {
			s := slots[(i+round)%len(slots)]
			got, err := b.runSlot(ctx, s, b.plan.slice)
			if err != nil {
				return err
			}
			s.samples = append(s.samples, got)
		}
	}
	return nil
}

// runSlot sends one slice of load and makes sure that every request has reached the provider, in the right dialect.
func (b *bench) runSlot(ctx context.Context, s *slot, d time.Duration) (sample, error) {
	before, err := b.control.counts()
	if err != nil {
		return sample{}, err
	}
	var got sample
	if s.scenario.kind == streams {
		got, err = b.load.streams(ctx, s.lane, s.request, s.scenario.concurrency, script{Deltas: b.plan.deltas, Interval: b.plan.interval})
	} else {
		got, err = b.load.unary(ctx, s.lane, s.request, s.scenario.concurrency, d)
	}
	if err != nil {
		return sample{}, err
	}
	after, err := b.control.counts()
	if err != nil {
		return sample{}, err
	}
	return got, checkArrived(s, before, after, got.requests)
}

// checkArrived compares what was sent with what arrived. More than was sent is possible: an HTTP client may send a
// request again when it finds that a kept connection has just been closed.
func checkArrived(s *slot, before, after counts, sent int) error {
	arrived := after.Chat - before.Chat
	if s.scenario.translated && s.lane.id.isGateway() {
		arrived = after.Messages - before.Messages
	}
	if arrived < int64(sent) {
		return fmt.Errorf("lane %s answered %d requests, but only %d reached the provider", s.lane.id, sent, arrived)
	}
	return nil
}
