package dbledger

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/journal"
)

const (
	maintainEvery = time.Minute
	pruneEvery    = time.Hour
	greetPatience = 10 * time.Second
)

// opened is an open store.
type opened struct {
	journal  *journal.Journal
	database *connection
	name     string
	logger   *zap.Logger

	stop    context.CancelFunc
	running sync.WaitGroup
}

// greet connects to a remote database before there is something to write, so that the schema is there and the
// operator is told when it is not.
func (o *opened) greet(ctx context.Context, db Database) {
	ctx, cancel := context.WithTimeout(ctx, greetPatience)
	defer cancel()
	if _, err := o.database.get(ctx); err != nil {
		o.logger.Warn("the usage database cannot be used yet; until it can, entries are kept in the outbox",
			zap.String("database", db.Name), zap.String("outbox", db.Journal), zap.Error(err))
		return
	}
	o.logger.Info("the usage database is ready", zap.String("database", db.Name))
}

// maintain does what is due every minute, and deletes old entries every hour, the first time soon.
func (o *opened) maintain(ctx context.Context, retention time.Duration) {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	var pruned time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if retention > 0 && now.Sub(pruned) >= pruneEvery {
				pruned = now
				o.prune(ctx, now.Add(-retention))
			}
			if r := o.database.have(); r != nil {
				if err := r.Maintain(ctx); err != nil && ctx.Err() == nil {
					o.logger.Warn("maintenance of the usage database failed", zap.String("database", o.name), zap.Error(err))
				}
			}
		}
	}
}

func (o *opened) prune(ctx context.Context, before time.Time) {
	r := o.database.have()
	if r == nil {
		return // the next hour
	}
	n, err := r.Prune(ctx, before)
	switch {
	case err != nil && ctx.Err() == nil:
		o.logger.Warn("deleting old entries failed", zap.String("database", o.name), zap.Time("before", before), zap.Error(err))
	case n > 0:
		o.logger.Info("deleted old entries", zap.String("database", o.name), zap.Time("before", before), zap.Int64("entries", n))
	}
}

// close gives the database what it does not have yet, as far as that is possible in time, and closes everything.
func (o *opened) close(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o.stop()
	if err := o.journal.Close(ctx); err != nil {
		o.logger.Error("entries are lost", zap.String("database", o.name), zap.Error(err))
	}
	o.running.Wait()
	if err := o.database.close(); err != nil {
		o.logger.Warn("closing the usage database failed", zap.String("database", o.name), zap.Error(err))
	}
}

// connection is a database that is opened by the first who needs it.
type connection struct {
	open func(context.Context) (Records, error)
	turn chan struct{} // has an element while somebody opens or closes it

	mu      sync.Mutex
	records Records
}

// have returns the database if it is open.
func (c *connection) have() Records {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.records
}

// get returns the database. Those who come while it is being opened wait, as long as their contexts allow.
func (c *connection) get(ctx context.Context) (Records, error) {
	if r := c.have(); r != nil {
		return r, nil
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r := c.have(); r != nil {
		return r, nil
	}
	r, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.records = r
	c.mu.Unlock()
	return r, nil
}

func (c *connection) close() error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.mu.Lock()
	r := c.records
	c.records = nil
	c.mu.Unlock()
	if r == nil {
		return nil
	}
	return r.Close()
}

// sink is a database as the journal sees it.
type sink struct {
	database *connection
	patience time.Duration
}

// Insert gives entries to the database.
func (s sink) Insert(ctx context.Context, entries []accounting.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	r, err := s.database.get(ctx)
	if err != nil {
		return err
	}
	return r.Insert(ctx, entries)
}
