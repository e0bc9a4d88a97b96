package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// profileSeconds is how long a lane is profiled.
const profileSeconds = 5

// profile loads every lane with every scenario in turn and writes a CPU profile and a profile of the allocations of
// the same seconds to dir.
func (b *bench) profile(ctx context.Context, sets [][]scenario, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if set[0].kind == idle {
			continue // an idle process has no CPU profile
		}
		slots, err := b.slots(ctx, set)
		if err != nil {
			return err
		}
		for _, s := range slots {
			if s.lane.id == direct {
				continue
			}
			if err := b.verify(ctx, s); err != nil {
				return fmt.Errorf("%s, lane %s: %w", s.scenario.name, s.lane.id, err)
			}
			name := filepath.Join(dir, fileName(s.scenario.name+" "+s.lane.id.String()))
			fmt.Fprintf(b.progress, "profiling %s ...\n", name)
			if err := b.profileSlot(ctx, s, name); err != nil {
				return fmt.Errorf("%s, lane %s: %w", s.scenario.name, s.lane.id, err)
			}
		}
	}
	return nil
}

func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == ',':
			return -1
		}
		return '-'
	}, s)
}

// profileSlot keeps a lane loaded while its admin endpoint takes the profiles.
func (b *bench) profileSlot(ctx context.Context, s *slot, name string) error {
	loaded, stop := context.WithCancel(ctx)
	defer stop()
	if s.scenario.kind == streams {
		long := script{Deltas: int(profileSeconds*time.Second/b.plan.interval) * 2, Interval: b.plan.interval}
		if err := b.control.setScript(long); err != nil {
			return err
		}
	}
	var group errgroup.Group
	for _, p := range []string{"profile", "allocs"} {
		group.Go(func() error {
			file, err := os.Create(fmt.Sprintf("%s.%s.pprof", name, p))
			if err != nil {
				return err
			}
			url := fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", s.lane.admin, p, profileSeconds)
			return errors.Join(fetch(ctx, url, file), file.Close())
		})
	}
	ended := make(chan error, 1)
	go func() {
		var err error
		if s.scenario.kind == streams {
			_, err = b.load.streams(loaded, s.lane, s.request, s.scenario.concurrency, script{})
		} else {
			_, err = b.load.unary(loaded, s.lane, s.request, s.scenario.concurrency, 4*profileSeconds*time.Second)
		}
		ended <- err
	}()
	err := group.Wait()
	stop()
	if loadErr := <-ended; !errors.Is(loadErr, context.Canceled) {
		err = errors.Join(err, loadErr)
	}
	return errors.Join(err, ctx.Err())
}
