package accounting

import (
	"context"
	"errors"
	"time"
)

// ErrUnavailable says that a ledger can keep nothing at the moment, because its disk is full for example.
var ErrUnavailable = errors.New("the ledger is unavailable")

// Ledger keeps entries. Implementations are Caddy modules in the namespace http.llm_gateway.ledgers. What else a ledger can do
// it says by implementing [Starter], [Holder], [Journal], [Reader] and [Monitored].
type Ledger interface {
	// Record keeps a batch. It must be idempotent by AttemptID, and may keep the slice no longer than the call.
	//
	// An entry that is there already stays as it is, with one exception: an Unknown one is replaced by one that is not.
	Record(ctx context.Context, entries []Entry) error
}

// Starter is implemented by ledgers that have something to open. Provisioning a module must have no effects, because a
// configuration may only be validated; Start is called when a configuration is about to run, and its error keeps it from
// running. A ledger that is used before it was started starts itself.
type Starter interface {
	Start(ctx context.Context) error
}

// Holder is implemented by ledgers with resources that have to stay open while a request of an older configuration is
// still running. Every request holds the ledger from before its first attempt until after its last entry.
type Holder interface {
	Hold()
	// Release undoes one Hold.
	Release()
}

// Monitored is implemented by ledgers that can say how they are.
type Monitored interface {
	Status() LedgerStatus
}

// LedgerStatus is how a ledger is.
type LedgerStatus struct {
	// Store names the storage, without any secret in it. Ledgers of one store, in two gateways of a configuration, are one.
	Store string
	// Pending counts entries that wait to be written to the storage, Bytes their size on disk.
	Pending, Bytes int64
	// Err is why the storage takes no entries, since Since; nil when it does.
	Err   error
	Since time.Time
}

// Journal is implemented by ledgers that account for calls also when the process dies while they are made.
type Journal interface {
	// Intend makes it known, before an attempt leaves, that it will. The entry holds what is known by then: who asks whom for
	// what, an estimate of the input in Usage, what that costs in Cost, and the certainty Unknown. When the process dies
	// before the intent is settled, this is what will be recorded, with Recovered set.
	//
	// It does no I/O on a database. With the error [ErrUnavailable] the call must not be made. It does not keep e.
	Intend(ctx context.Context, e *Entry) (Intent, error)
}

// Intent is an attempt that was made known and whose outcome is not recorded yet. It is used by one goroutine.
type Intent interface {
	// Settle gives the attempt its final entry. It does no I/O on a database and cannot fail: what cannot be written now is
	// written later. The intent must not be used afterwards. It does not keep e.
	Settle(e *Entry)
	// Withdraw says that the attempt was never made.
	Withdraw()
}
