// Package dbledger is what ledgers with a database have in common: options, a journal that requests write to instead of the
// database, and stores of both that outlive the configurations that use them.
//
// A ledger of a kind of database is a Caddy module that embeds [Base]. In Provision it calls [Base.Attach] with a
// [Database], which says how to get at one. Nothing is opened by that: it is when the ledger is started, or used.
package dbledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
	"weak"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
	"github.com/caddy-llm/llmgateway/accounting/journal"
)

// Database says how to get at a database.
type Database struct {
	// Name tells databases apart, and is shown: it has no secret. Ledgers in one configuration that name the same one share it,
	// and have to agree on everything.
	Name string
	// Access is what else is needed to get at it, such as a password. It is only compared, and not kept.
	Access string
	// Journal is the folder of the journal.
	Journal string
	// Open returns the database, ready for use. It is called once, and again after it failed.
	Open func(ctx context.Context, logger *zap.Logger) (Records, error)
	// Remote says that it may be away. Then a ledger starts without it, and tries until it is there.
	Remote bool
	// Patience is how long a batch of entries may take. It is tried again then.
	Patience time.Duration
}

// Records are the tables of an open database.
type Records interface {
	journal.Sink
	accounting.Reader
	// Prune deletes the record of attempts before a time, and returns how many it deleted.
	Prune(ctx context.Context, before time.Time) (int64, error)
	// Maintain is called every minute.
	Maintain(ctx context.Context) error
	Close() error
}

var (
	// stores has a *store for every way in which a database is used.
	stores = caddy.NewUsagePool()
	// claims has what each configuration wants of each database, and which database each folder of journals is for: who takes
	// over a journal gives its entries to his own.
	claims = caddy.NewUsagePool()
)

// claimKey is a database, or a folder of journals, in a configuration.
type claimKey struct {
	configuration any
	name, journal string // one of them
}

// storeKey is all that makes stores differ. When a configuration changes an option, it gets another store, and the one before
// is closed when the last request has left it. They may be open at the same time, as those of several processes may.
type storeKey struct {
	name, journal string
	access        [sha256.Size]byte
	options       Options
}

// Base is a ledger whose entries end in a database. It implements everything that a ledger can.
type Base struct {
	Options

	claims [2]claimKey
	key    storeKey
	store  *store
	logger *zap.Logger
}

// Attach prepares the ledger for a database. It has no effects that last beyond Cleanup, opens nothing, and fails when
// options are wrong, or other ledgers of the same configuration use the database in another way.
func (b *Base) Attach(ctx caddy.Context, db Database) error {
	options := b.Options // what was configured stays as it was
	if err := options.fill(); err != nil {
		return err
	}
	b.logger = ctx.Logger()
	key := storeKey{db.Name, db.Journal, sha256.Sum256([]byte(db.Access)), options}
	configuration := configurationOf(ctx)
	wants := [2]claimKey{{configuration: configuration, name: db.Name}, {configuration: configuration, journal: db.Journal}}
	claimed, _ := claims.LoadOrStore(wants[0], key)
	user, _ := claims.LoadOrStore(wants[1], db.Name)
	var err error
	switch {
	case claimed != key:
		err = fmt.Errorf("another ledger of this configuration uses %s with other options; give both the same", db.Name)
	case user != db.Name:
		err = fmt.Errorf("the ledgers of %s and %s would both keep entries in %s; give each a folder of its own", user, db.Name, db.Journal)
	}
	if err != nil {
		return errors.Join(err, unclaim(wants))
	}
	value, _, err := stores.LoadOrNew(key, func() (caddy.Destructor, error) { return newStore(db, options, b.logger), nil })
	if err != nil {
		return errors.Join(err, unclaim(wants))
	}
	b.claims, b.key, b.store = wants, key, value.(*store)
	return nil
}

func unclaim(keys [2]claimKey) error {
	var errs []error
	for _, k := range keys {
		_, err := claims.Delete(k)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// configurationOf returns a value that is the same for all modules of a configuration, and only for them: Caddy makes a
// registry of metrics for each. It does not keep the registry.
func configurationOf(ctx caddy.Context) any {
	if r := ctx.GetMetricsRegistry(); r != nil {
		return weak.Make(r)
	}
	return new(int)
}

// Cleanup gives up the ledger's share of the store. Requests that hold it go on using it.
func (b *Base) Cleanup() error {
	if b.store == nil {
		return nil
	}
	_, err := stores.Delete(b.key)
	return errors.Join(err, unclaim(b.claims))
}

// Start opens the journal and the database.
func (b *Base) Start(ctx context.Context) error {
	b.store.log.use(b.logger)
	_, err := b.store.open(ctx)
	return err
}

// Hold keeps the store open.
func (b *Base) Hold() { b.store.hold() }

// Release undoes one Hold. The last one closes the store when no configuration uses it anymore.
func (b *Base) Release() { b.store.release() }

// Intend writes to the journal that an attempt is about to be made.
func (b *Base) Intend(ctx context.Context, e *accounting.Entry) (accounting.Intent, error) {
	o, err := b.store.get(ctx)
	if err != nil {
		return nil, err
	}
	return o.journal.Intend(ctx, e)
}

// Record writes entries to the journal.
func (b *Base) Record(ctx context.Context, entries []accounting.Entry) error {
	o, err := b.store.get(ctx)
	if err != nil {
		return err
	}
	return o.journal.Record(ctx, entries)
}

// Sums asks the database. What was recorded before is in it, unless it did not take that within a second.
func (b *Base) Sums(ctx context.Context, q accounting.Query) (sums []accounting.Sum, err error) {
	err = b.View(ctx, func(r Records) error {
		sums, err = r.Sums(ctx, q)
		return err
	})
	return sums, err
}

// Entries reads from the database. What was recorded before is in it, unless it did not take that within a second.
func (b *Base) Entries(ctx context.Context, f accounting.Filter, yield func(*accounting.Entry) error) error {
	return b.View(ctx, func(r Records) error { return r.Entries(ctx, f, yield) })
}

// syncPatience is how long readers wait for the database to have what was recorded before.
const syncPatience = time.Second

// View calls f with the open database, which is not closed meanwhile.
func (b *Base) View(ctx context.Context, f func(Records) error) error {
	b.store.hold()
	defer b.store.release()
	o, err := b.store.get(ctx)
	if err != nil {
		return err
	}
	patient, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	if err := o.journal.Sync(patient); err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	r, err := o.database.get(ctx)
	if err != nil {
		return err
	}
	return f(r)
}

// Stats says what the journal is doing. It reports false when the store is not open.
func (b *Base) Stats() (journal.Stats, bool) {
	if o := b.store.opened.Load(); o != nil {
		return o.journal.Stats(), true
	}
	return journal.Stats{}, false
}

// Status says how the ledger is.
func (b *Base) Status() accounting.LedgerStatus {
	status := accounting.LedgerStatus{Store: b.store.database.Name}
	stats, open := b.Stats()
	if !open {
		return status
	}
	status.Pending, status.Bytes = stats.Pending, stats.Bytes
	status.Err, status.Since = stats.SinkError, stats.SinkErrorSince
	if stats.DiskError != nil {
		status.Err, status.Since = stats.DiskError, stats.DiskErrorSince
	}
	return status
}

// Interface guards
var (
	_ accounting.Ledger  = (*Base)(nil)
	_ accounting.Starter = (*Base)(nil)
	_ accounting.Holder  = (*Base)(nil)
	_ accounting.Journal = (*Base)(nil)
	_ accounting.Reader  = (*Base)(nil)
	_ caddy.CleanerUpper = (*Base)(nil)

	_ accounting.Monitored = (*Base)(nil)
)
