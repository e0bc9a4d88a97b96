package dbledger

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestOldEntriesAreDeletedEveryHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		o := &opened{database: &connection{records: f}, name: "db", logger: zap.NewNop()}
		ctx, stop := context.WithCancel(t.Context())
		began := time.Now()
		o.running.Go(func() { o.maintain(ctx, 48*time.Hour) })
		time.Sleep(3*time.Hour + 30*time.Second)
		stop()
		o.running.Wait()
		if len(f.pruned) != 3 || f.maintained != 180 {
			t.Fatalf("in 3 hours, old entries were deleted %d times and maintenance was done %d times", len(f.pruned), f.maintained)
		}
		for i, before := range f.pruned {
			if want := began.Add(maintainEvery + time.Duration(i)*pruneEvery - 48*time.Hour); !before.Equal(want) {
				t.Errorf("time %d, everything before %v was deleted, want %v", i, before, want)
			}
		}
	})
}

func TestWhatIsKeptForeverIsNotDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		o := &opened{database: &connection{records: f}, logger: zap.NewNop()}
		ctx, stop := context.WithCancel(t.Context())
		o.running.Go(func() { o.maintain(ctx, forever) })
		time.Sleep(24 * time.Hour)
		stop()
		o.running.Wait()
		if len(f.pruned) > 0 || f.maintained == 0 {
			t.Errorf("deleted at %v, maintained %d times", f.pruned, f.maintained)
		}
	})
}

func TestFailingMaintenanceIsLoggedAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.broken = errBroken
		var out bytes.Buffer
		o := &opened{database: &connection{records: f}, name: "db", logger: zap.New(core(&out, zapcore.DebugLevel))}
		ctx, stop := context.WithCancel(t.Context())
		o.running.Go(func() { o.maintain(ctx, 48*time.Hour) })
		time.Sleep(2*time.Minute + time.Second)
		stop()
		o.running.Wait()
		said := out.String()
		if strings.Count(said, "maintenance of the usage database failed") != 2 || strings.Count(said, "deleting old entries failed") != 1 {
			t.Errorf("it says %s", said)
		}
	})
}

func TestWhoWaitsForAConnectionMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opening := make(chan struct{})
		c := &connection{turn: make(chan struct{}, 1), open: func(context.Context) (Records, error) {
			<-opening
			return newFake(), nil
		}}
		first := make(chan error)
		go func() {
			_, err := c.get(t.Context())
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the second got %v", err)
		}
		close(opening)
		if err := <-first; err != nil {
			t.Error(err)
		}
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
}

func core(out *bytes.Buffer, level zapcore.Level) zapcore.Core {
	return zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg", NameKey: "logger"}), zapcore.AddSync(out), level)
}

func TestAStoreLogsToTheConfigurationThatUsesIt(t *testing.T) {
	var first, second bytes.Buffer
	r := newRelay(zap.New(core(&first, zapcore.InfoLevel)).Named("ledger"))
	l := r.logger.With(zap.String("kept", "yes"))
	l.Info("one", zap.Int("n", 1))
	l.Debug("too fine")
	r.use(zap.New(core(&second, zapcore.DebugLevel)).Named("other"))
	l.Debug("two")
	if got, want := first.String(), `{"logger":"ledger","msg":"one","kept":"yes","n":1}`+"\n"; got != want {
		t.Errorf("the first has %s, want %s", got, want)
	}
	if got, want := second.String(), `{"logger":"ledger","msg":"two","kept":"yes"}`+"\n"; got != want {
		t.Errorf("the second has %s, want %s", got, want)
	}
}
