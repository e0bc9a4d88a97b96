package dbledger

import (
	"slices"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// relay is where a store's logger writes to: the log of the configuration that began to use it last, because a store
// outlives configurations, and their logs may be closed.
type relay struct {
	logger  *zap.Logger // writes to the relay
	current atomic.Pointer[zap.Logger]
}

func newRelay(l *zap.Logger) *relay {
	r := &relay{}
	r.use(l)
	r.logger = zap.New(relayCore{relay: r}).Named(l.Name())
	return r
}

// use makes the relay write to a logger from now on.
func (r *relay) use(l *zap.Logger) { r.current.Store(l) }

// relayCore is a relay with fields.
type relayCore struct {
	relay  *relay
	fields []zapcore.Field
}

func (c relayCore) core() zapcore.Core { return c.relay.current.Load().Core() }

// Enabled reports whether the current log wants lines of a level.
func (c relayCore) Enabled(l zapcore.Level) bool { return c.core().Enabled(l) }

// With adds fields.
func (c relayCore) With(fields []zapcore.Field) zapcore.Core {
	return relayCore{c.relay, append(slices.Clip(c.fields), fields...)}
}

// Check adds the relay to those who write the line.
func (c relayCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write asks the current log whether it wants the line, which decides by more than its level, and gives it the line.
func (c relayCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if line := c.core().Check(e, nil); line != nil {
		line.Write(append(slices.Clip(c.fields), fields...)...)
	}
	return nil
}

// Sync flushes the current log.
func (c relayCore) Sync() error { return c.core().Sync() }
