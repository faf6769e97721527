// Package lograte limits the rate of a frequent log line.
package lograte

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Pause is how long after a warning no other is logged at warn.
const Pause = time.Second

// A Line is a warning that may be frequent. The first few are logged at once. Further ones within
// [Pause] are combined into one line, with their number and the attributes of the last; each is
// also logged at debug. A Line holds the attributes of one line at most. It is safe for concurrent
// use.
type Line struct {
	write func(ctx context.Context, level slog.Level, attrs ...slog.Attr)
	few   int

	mu    sync.Mutex  // guards the fields below
	said  int         // of the few
	pause *time.Timer // after it the held lines are logged; nil if nothing was logged recently
	held  int
	last  []slog.Attr // of the held lines
}

// New returns a line that write logs. The first is logged at once.
func New(write func(ctx context.Context, level slog.Level, attrs ...slog.Attr)) *Line {
	return NewFew(1, write)
}

// NewFew returns a line that write logs. The first few are logged at once.
func NewFew(few int, write func(ctx context.Context, level slog.Level, attrs ...slog.Attr)) *Line {
	return &Line{write: write, few: few}
}

// Warn logs the line with these attributes, now or within [Pause].
func (l *Line) Warn(ctx context.Context, attrs ...slog.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said == l.few {
		l.held++
		l.last = attrs
		l.write(ctx, slog.LevelDebug, attrs...)
		return
	}
	l.said++
	l.write(ctx, slog.LevelWarn, attrs...)
	if l.pause != nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	l.pause = time.AfterFunc(Pause, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.pause != nil && l.flush(ctx) {
			l.pause.Reset(Pause)
		} else {
			l.pause, l.said = nil, 0
		}
	})
}

// flush logs the held lines, and reports whether there were any. The lock must be held.
func (l *Line) flush(ctx context.Context) bool {
	if l.held == 0 {
		return false
	}
	l.write(ctx, slog.LevelWarn, append([]slog.Attr{slog.Int("count", l.held)}, l.last...)...)
	l.held, l.last = 0, nil
	return true
}

// Close logs the held lines. Warn must not be called afterwards.
func (l *Line) Close(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pause != nil {
		l.pause.Stop()
		l.pause, l.said = nil, 0
	}
	l.flush(ctx)
}
