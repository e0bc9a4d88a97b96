package journal

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-llm/llmgateway/accounting"
)

const (
	backoffFirst   = 100 * time.Millisecond
	backoffLongest = 5 * time.Second
	// logEvery is how often it is said that the sink still fails.
	logEvery = time.Minute
	// patience is how often a batch fails before it is asked whether one of its entries is why.
	patience = 5
	// strikes is how often the sink has to refuse an entry, each time between two others that it took, before it is rejected.
	strikes = 3
	// doubt is how many calls in a row fail until a search for culprits is given up: the sink is away.
	doubt = 12
	// rejectedName is the file, within Options.Dir, of entries that the sink refused.
	rejectedName = "rejected.jsonl"
)

// suspect is an entry that the sink refused alone.
type suspect struct {
	entry   accounting.Entry
	from    kept
	strikes int
}

// deliver hands the batch to the sink, however long that takes. It is false when ctx ended before.
//
// It waits between tries for a random part of a time that doubles, so that gateways that lost one database together do not come
// back together.
func (p *pump) deliver(ctx context.Context) bool {
	b := p.batch
	defer func() {
		clear(p.batch.entries)
		clear(p.batch.from)
		p.batch = batch{p.batch.entries[:0], p.batch.from[:0]}
	}()
	longest := backoffFirst
	for try := 1; len(b.entries) > 0; try++ {
		if p.insert(ctx, b) == nil {
			p.finish(b)
			p.retry(ctx, b.part(0, 1))
			return true
		}
		if try >= patience {
			var taken batch
			if b, taken = p.probe(ctx, b); len(b.entries) == 0 {
				if len(taken.entries) > 0 {
					p.retry(ctx, taken)
				}
				return true
			}
		}
		if !sleep(ctx, rand.N(longest)) {
			p.putBack(b)
			return false
		}
		longest = min(2*longest, backoffLongest)
	}
	return ctx.Err() == nil
}

// probe tries one entry of a batch that keeps failing. If the sink takes it, it is not away: the others are tried in ever
// smaller parts, and those that fail alone become suspects. It returns what still has to be delivered, and the one.
func (p *pump) probe(ctx context.Context, b batch) (rest, taken batch) {
	if len(b.entries) == 1 {
		p.suspect(b)
		return batch{}, batch{}
	}
	i := rand.IntN(len(b.entries))
	one := b.part(i, i+1)
	if p.insert(ctx, one) != nil {
		return b, batch{}
	}
	p.finish(one)
	failures := 0
	p.divide(ctx, b.part(0, i), &failures)
	p.divide(ctx, b.part(i+1, len(b.entries)), &failures)
	return batch{}, one
}

func (p *pump) divide(ctx context.Context, b batch, failures *int) {
	n := len(b.entries)
	switch {
	case n == 0:
	case *failures >= doubt || ctx.Err() != nil:
		p.putBack(b)
	case p.insert(ctx, b) == nil:
		*failures = 0
		p.finish(b)
	case n == 1:
		*failures++
		p.suspect(b)
	default:
		*failures++
		p.divide(ctx, b.part(0, n/2), failures)
		p.divide(ctx, b.part(n/2, n), failures)
	}
}

// suspect sets a single entry aside, so that it does not hold up others.
func (p *pump) suspect(b batch) {
	p.suspects = append(p.suspects, suspect{entry: b.entries[0], from: b.from[0]})
	p.accused.Add(1)
}

// retry tries suspects again. With an entry that the sink has just taken, it is asked to take that again whenever it refuses a
// suspect: if it does, the refusal counts against the suspect, and if it does not, it is away. It stops at the first refusal that
// nothing is known about.
func (p *pump) retry(ctx context.Context, taken batch) {
	for i := 0; i < len(p.suspects) && ctx.Err() == nil; {
		s := &p.suspects[i]
		b := batch{[]accounting.Entry{s.entry}, []kept{s.from}}
		err := p.insert(ctx, b)
		if err != nil {
			if len(taken.entries) == 0 || p.insert(ctx, taken) != nil {
				p.suspects = slices.Concat(p.suspects[i+1:], p.suspects[:i+1]) // the next time begins with another
				return
			}
			s.strikes++
		}
		switch {
		case err == nil:
			taken = b
		case s.strikes >= strikes && p.reject(s, err):
		default:
			i++
			continue
		}
		p.finish(b)
		p.suspects = slices.Delete(p.suspects, i, i+1)
		p.accused.Add(-1)
		p.swept.fire()
	}
}

// reject keeps an entry that the sink will never take in a file of its own.
func (p *pump) reject(s *suspect, cause error) bool {
	line, err := json.Marshal(struct {
		Time  time.Time
		Error string
		Entry accounting.Entry
	}{time.Now(), cause.Error(), s.entry})
	name := filepath.Join(p.j.options.Dir, rejectedName)
	if err == nil && p.j.onDisk {
		err = p.j.files.Append(name, append(line, '\n'))
	}
	if err != nil {
		p.j.log.Error("an entry that the ledger refuses cannot be kept", zap.String("attempt_id", s.entry.AttemptID),
			zap.String("file", name), zap.Error(err))
		return false
	}
	p.rejected.Add(1)
	p.j.log.Error("the ledger refuses an entry, while it takes others: what it says is missing from all sums",
		zap.String("attempt_id", s.entry.AttemptID), zap.String("file", name), zap.NamedError("cause", cause))
	return true
}

// insert calls the sink, and says in the log when it begins to fail, every minute that it does, and when it works again.
func (p *pump) insert(ctx context.Context, b batch) error {
	err := p.j.options.Sink.Insert(ctx, b.entries)
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil && p.err != nil:
		p.j.log.Info("the ledger takes entries again", zap.Duration("after", now.Sub(p.since)))
		p.since, p.logged = time.Time{}, time.Time{}
	case err != nil && ctx.Err() == nil:
		if p.err == nil {
			p.since = now
		}
		if now.Sub(p.logged) >= logEvery {
			p.logged = now
			p.j.log.Error("the ledger does not take entries; they wait in the journal",
				zap.Int64("entries", p.j.pending.Load()), zap.Time("since", p.since), zap.Error(err))
		}
	}
	p.err = err
	return err
}

// failing is the last error of the sink, if it has not worked since, and when it began to fail.
func (p *pump) failing() (since time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.since, p.err
}

// sleep is false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
