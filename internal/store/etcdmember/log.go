package etcdmember

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"carillon/internal/store"
)

// logger returns etcd's logger. A fatal message fails the member and ends its goroutine; etcd
// itself would end the process.
func (m *Member) logger() *zap.Logger {
	return zap.New(&logCore{member: m}, zap.WithFatalHook(zapcore.WriteThenGoexit))
}

// logCore passes on etcd's messages at a lower level, because many are about temporary conditions.
type logCore struct {
	member *Member
	fields []zapcore.Field
}

// Enabled implements [zapcore.Core].
func (c *logCore) Enabled(l zapcore.Level) bool {
	none := context.Background() //nolint:forbidigo // zap passes no context, and no level depends on one
	return l >= zapcore.FatalLevel || c.member.log.Enabled(none, slogLevel(l))
}

func slogLevel(l zapcore.Level) slog.Level {
	switch {
	case l >= zapcore.DPanicLevel:
		return slog.LevelError
	case l == zapcore.ErrorLevel:
		return slog.LevelWarn
	}
	return store.LevelTrace
}

// With implements [zapcore.Core].
func (c *logCore) With(fields []zapcore.Field) zapcore.Core {
	return &logCore{member: c.member, fields: append(slices.Clip(c.fields), fields...)}
}

// Check implements [zapcore.Core].
func (c *logCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write implements [zapcore.Core].
func (c *logCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range append(slices.Clip(c.fields), fields...) {
		f.AddTo(enc)
	}
	event := fmt.Sprintf("%s %v", e.Message, enc.Fields)
	switch {
	case e.Level >= zapcore.DPanicLevel:
		c.member.fail(errors.New(event))
		c.member.log.Error("etcd failed", slog.String("event", event))
	case e.Level == zapcore.ErrorLevel && !c.member.stopping.Load():
		c.member.log.Warn("etcd reported an error", slog.String("event", event))
	default:
		none := context.Background() //nolint:forbidigo // as in Enabled
		c.member.log.LogAttrs(none, store.LevelTrace, "etcd", slog.String("event", event))
	}
	return nil
}

// Sync implements [zapcore.Core].
func (*logCore) Sync() error { return nil }
