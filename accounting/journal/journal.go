// Package journal keeps account of calls across crashes, before any database knows of them.
//
// What is about to be asked of a provider is written to a file before it is asked (an intent), and what came of it beside it
// (its outcome), each by one write of a few hundred bytes at a place that was handed out before and that nobody else writes
// to. Such a write takes about a microsecond, and survives the process. In the background a pump hands outcomes in batches to a
// sink, which is a database, and only when that has them, their places are given up. So requests never wait for a database,
// and the same files are the outbox while it is away.
//
// The files are described in docs/ledger-journal.md.
package journal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
)

// Durability says what entries survive.
type Durability uint8

// The durabilities.
const (
	// Process: the end of the process, however it ends. A loss of power takes at most the last 250 ms.
	Process Durability = iota
	// Power: a loss of power, too. Intend, Settle, Withdraw and Record return when the disk has it; those who wait at the same
	// time share a sync.
	Power
	// Async: nothing is on disk. Entries wait in memory for the sink, at most 8,192 besides those of calls under way; with as
	// many, Intend and Record wait. What waits is lost with the process.
	Async
)

// Failure says what becomes of calls while the journal cannot be written, because the disk is full for example.
type Failure uint8

// The failures.
const (
	// Buffer keeps up to 10,000 entries or 64 MiB in memory, then refuses.
	Buffer Failure = iota
	// Refuse refuses calls at once. Those under way are recorded all the same.
	Refuse
)

// Sink takes entries off the journal.
type Sink interface {
	// Insert takes all of them or, with an error, may take some. It must be idempotent by AttemptID, and an Unknown entry must
	// not replace another. It may keep the slice no longer than the call, and has to return soon after ctx ends.
	//
	// The journal calls it one at a time. It tries again until it works, but what the sink refuses alone while it takes
	// others ends in the file of rejected entries.
	Insert(ctx context.Context, entries []accounting.Entry) error
}

// Options say how a journal works.
type Options struct {
	// Dir is a folder that is for journals only, and may be shared by processes. Each journal makes a folder of its own in
	// it, and takes over those of journals that end without finishing: at once those that have when it is opened, and within
	// about ten seconds those that do later, as long as its sink takes entries. It is made if there is none, with mode 0700.
	Dir        string
	Durability Durability
	Sink       Sink
	// MaxSize is the largest number of bytes that files may have while the sink does not take entries. Default: 1 GiB.
	MaxSize   int64
	OnFailure Failure
	// Window is how long the pump waits for a batch to grow, at most 512 entries. Default: 50 ms.
	Window time.Duration
	// Logger is told of failures. Default: none.
	Logger *zap.Logger

	// What only tests change.
	files       files
	segmentSize int64
	bufferCount int
	bufferBytes int64
	queue       int64
	hollowAbove int64 // bytes of files from which on they are given holes
}

func (o *Options) fill() {
	setDefault(&o.MaxSize, 1<<30)
	setDefault(&o.hollowAbove, o.MaxSize/4)
	setDefault(&o.Window, 50*time.Millisecond)
	setDefault(&o.segmentSize, 4<<20)
	setDefault(&o.bufferCount, 10_000)
	setDefault(&o.bufferBytes, 64<<20)
	setDefault(&o.queue, 8192)
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.files == nil {
		o.files = disk{}
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Journal keeps entries until a sink has them. It is safe for use by several goroutines.
type Journal struct {
	options Options
	files   files
	log     *zap.Logger
	onDisk  bool // false with Async

	current atomic.Pointer[segment] // where regions are made; nil while there is none
	syncer  syncer
	buffer  buffer
	pump    pump
	bytes   atomic.Int64 // of all segments
	adopted atomic.Int64 // of those that were taken over since the journal was opened
	flying  atomic.Int64 // intents that are neither settled nor withdrawn
	pending atomic.Int64 // entries that the sink does not have yet

	mu       sync.Mutex
	own      *folder
	segments []*segment // all but the spare, oldest first
	spare    *segment
	trouble  error // why there is no spare
	since    time.Time

	unadopted string // why something cannot be taken over; only the keeper knows

	spared  signal        // fired when there is a spare, or trouble
	keep    chan struct{} // the keeper has something to do
	written chan struct{} // something is to be synced; Process only

	closed  atomic.Bool
	stopped atomic.Bool   // the goroutines have ended
	closing chan struct{} // closed when Close begins
	stop    context.CancelFunc
	running sync.WaitGroup // all goroutines but the pump
	pumping chan struct{}  // closed when the pump has ended
	last    sync.Once
}

// Stats is what a journal is doing.
type Stats struct {
	Pending  int64 // entries that the sink does not have yet
	InFlight int64 // intents whose outcome is not known yet
	Bytes    int64 // that files take
	Buffered int64 // entries and intents that are in memory because files cannot be written
	Rejected int64 // entries that the sink refused, since the journal was opened
	// SinkError is why the sink does not take entries, since SinkErrorSince. It is nil while it does.
	SinkError      error
	SinkErrorSince time.Time
	// DiskError is why files cannot be written, since DiskErrorSince. It is nil while they can.
	DiskError      error
	DiskErrorSince time.Time
}

// Open makes a journal. What journals of the same folder left behind that are not running anymore goes to the sink first:
// settled entries as they are, and intents as Unknown with Recovered set.
//
// It fails when the folder cannot be written, when files in it come from a newer version of this program, which are left as they
// are, and when the system has no file locks. Files that are damaged do not make it fail; they are kept beside the others with names
// that end in ".corrupt", after everything in them that could be read has gone to the sink.
func Open(o Options) (*Journal, error) {
	o.fill()
	if o.Sink == nil {
		return nil, errors.New("opening a journal: there is no sink")
	}
	j := &Journal{
		options: o, files: o.files, log: o.Logger, onDisk: o.Durability != Async,
		keep: make(chan struct{}, 1), written: make(chan struct{}, 1),
		closing: make(chan struct{}), pumping: make(chan struct{}),
	}
	j.syncer.io = make(chan struct{}, 1)
	j.pump.init(j)
	if j.onDisk {
		if err := j.openFiles(); err != nil {
			return nil, fmt.Errorf("opening the journal in %s: %w", o.Dir, err)
		}
		j.running.Go(j.keeper)
		if o.Durability == Process {
			j.running.Go(j.syncing)
		}
	}
	// The journal lives longer than the configuration, or request, that it is opened by.
	ctx, cancel := context.WithCancel(context.Background())
	j.stop = cancel
	go j.pump.run(ctx)
	return j, nil
}

// openFiles takes a folder, takes over what was left behind and makes the first segment.
func (j *Journal) openFiles() (err error) {
	if err = j.files.MkdirAll(j.options.Dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			j.closeFiles()
		}
	}()
	if j.own, err = j.newFolder(); err != nil {
		return err
	}
	if err = j.recover(false); err != nil {
		return err
	}
	if err = j.provide(); errors.Is(err, errFull) || errors.Is(err, syscall.ENOSPC) {
		return nil // what was left behind takes the room that there is, and nobody else will hand it to the sink
	}
	return err
}

// randomID is not zero.
func randomID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:]) | 1
}

// Sync waits until everything that was settled or recorded before the call is in the sink.
func (j *Journal) Sync(ctx context.Context) error { return j.pump.sync(ctx) }

// Stats says what the journal is doing.
func (j *Journal) Stats() Stats {
	s := Stats{
		Pending: j.pending.Load(), InFlight: j.flying.Load(), Bytes: j.bytes.Load(),
		Buffered: j.buffer.count(), Rejected: j.pump.rejected.Load(),
	}
	s.SinkErrorSince, s.SinkError = j.pump.failing()
	j.mu.Lock()
	defer j.mu.Unlock()
	s.DiskError, s.DiskErrorSince = j.trouble, j.since
	return s
}

// Close hands what it can to the sink until ctx ends. What is left stays on disk for another journal in the same folder;
// the error says what could not even be kept there. Intents that are settled after it are, too, and until the last of them is,
// the lock of the folder is held.
func (j *Journal) Close(ctx context.Context) error {
	if j.closed.Swap(true) {
		return nil
	}
	close(j.closing)
	select {
	case <-j.pumping:
	case <-ctx.Done():
	}
	j.stop()
	<-j.pumping
	j.running.Wait()
	var err error
	if j.onDisk {
		j.flush()
		err = j.syncer.wait()
	}
	if n := j.buffer.entries(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d entries could neither be recorded nor written to the journal", n))
	}
	if n := j.pending.Load(); n > 0 && err == nil {
		j.log.Warn("entries stay in the journal until another one takes them over", zap.Int64("entries", n))
	}
	j.stopped.Store(true)
	j.landed(0)
	if err != nil {
		return fmt.Errorf("closing the journal: %w", err)
	}
	return nil
}

// landed counts intents that ended. With the last one of a closed journal its files are closed.
func (j *Journal) landed(n int64) {
	if j.flying.Add(-n) == 0 && j.stopped.Load() {
		j.last.Do(j.closeFiles)
	}
}

// closeFiles closes everything, and removes what is finished.
func (j *Journal) closeFiles() {
	j.current.Store(nil)
	j.mu.Lock()
	segments := j.segments
	if j.spare != nil {
		segments = append(segments, j.spare)
	}
	j.segments, j.spare = nil, nil
	j.mu.Unlock()
	folders := map[*folder]bool{}
	if j.own != nil {
		folders[j.own] = true
	}
	for _, s := range segments {
		folders[s.folder] = true
		s.seal()
		j.drop(s, s.finished())
	}
	for f := range folders {
		j.leave(f)
	}
}
