package dbledger

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/journal"
)

const (
	// retryOpening is how long requests are refused after the store could not be opened, before it is tried again.
	retryOpening = time.Second
	// closePatience is how long a store that is closed waits for its database to take what it does not have yet. The rest
	// is in the journal.
	closePatience = 30 * time.Second
	// exitPatience is the same when the process exits.
	exitPatience = 4 * time.Second
	// awayPatience is the same when the database did not take entries anyway.
	awayPatience = time.Second
)

// store is a journal and a database. It is opened when it is needed, and closed when nobody refers to it: the pool does as long
// as a configuration has it, and requests that hold it do.
type store struct {
	database Database
	options  Options
	log      *relay

	opened  atomic.Pointer[opened] // nil before it is opened and after it is closed
	opening sync.Mutex             // held while it is opened
	failed  error                  // of opening it, at failedAt; guarded by opening
	failing time.Time

	mu         sync.Mutex
	references int
}

// newStore returns a store with one reference, the pool's.
func newStore(db Database, o Options, l *zap.Logger) *store {
	return &store{database: db, options: o, log: newRelay(l), references: 1}
}

func (s *store) hold() {
	s.mu.Lock()
	s.references++
	s.mu.Unlock()
}

func (s *store) release() {
	s.mu.Lock()
	s.references--
	n := s.references
	s.mu.Unlock()
	if n < 0 {
		panic("a ledger was released more often than it was held")
	}
	if n == 0 {
		s.close()
	}
}

func (s *store) used() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.references > 0
}

// Destruct gives up the pool's reference. Whoever comes by way of an old configuration still finds the store working.
func (s *store) Destruct() error {
	s.release()
	return nil
}

// get returns the open store. It opens it when that did not fail a moment ago.
func (s *store) get(ctx context.Context) (*opened, error) {
	if o := s.opened.Load(); o != nil {
		return o, nil
	}
	o, err := s.tryOpen(ctx, retryOpening)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", accounting.ErrUnavailable, err)
	}
	return o, nil
}

func (s *store) open(ctx context.Context) (*opened, error) { return s.tryOpen(ctx, 0) }

func (s *store) tryOpen(ctx context.Context, pause time.Duration) (*opened, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	if o := s.opened.Load(); o != nil {
		return o, nil
	}
	if s.failed != nil && time.Since(s.failing) < pause {
		return nil, s.failed
	}
	if !s.used() {
		return nil, fmt.Errorf("the ledger of %s is closed", s.database.Name)
	}
	o, err := s.start(ctx)
	if err != nil {
		// A caller who lost patience says nothing about the store.
		if ctx.Err() == nil {
			s.failed, s.failing = err, time.Now()
		}
		return nil, err
	}
	s.failed = nil
	s.opened.Store(o)
	return o, nil
}

// start opens everything. A remote database is only begun to be looked for.
func (s *store) start(ctx context.Context) (*opened, error) {
	logger := s.log.logger
	db := &connection{open: func(ctx context.Context) (Records, error) { return s.database.Open(ctx, logger) }, turn: make(chan struct{}, 1)}
	if !s.database.Remote {
		if _, err := db.get(ctx); err != nil {
			return nil, err
		}
	}
	durability, _ := durabilities.find(s.options.Durability)
	onFailure, _ := failures.find(s.options.OnFailure)
	j, err := journal.Open(journal.Options{
		Dir: s.database.Journal, Durability: durability, OnFailure: onFailure, MaxSize: s.options.MaxOutbox, Logger: logger,
		Sink: sink{db, s.database.Patience},
	})
	if err != nil {
		db.close()
		return nil, err
	}
	o := &opened{journal: j, database: db, name: s.database.Name, logger: logger}
	background, stop := context.WithCancel(context.Background()) // requests and configurations come and go meanwhile
	o.stop = stop
	if s.database.Remote {
		o.running.Go(func() { o.greet(background, s.database) })
	}
	o.running.Go(func() { o.maintain(background, time.Duration(s.options.Retention)) })
	return o, nil
}

// close closes the store: now when the process is about to exit or entries are nowhere but in memory, else on the side, because
// a reload and the last request of an old configuration need not wait for it.
func (s *store) close() {
	s.opening.Lock()
	o := s.opened.Swap(nil)
	s.opening.Unlock()
	if o == nil {
		return
	}
	patience := closePatience
	if caddy.Exiting() {
		patience = exitPatience
	}
	inMemory := s.options.Durability == "async"
	if !inMemory && o.journal.Stats().SinkError != nil {
		patience = awayPatience
	}
	if inMemory || caddy.Exiting() {
		o.close(patience)
	} else {
		go o.close(patience)
	}
}
