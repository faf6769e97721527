// Package lograte keeps a line that may come often from drowning the rest of a log.
package lograte

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Pause is how long nothing is logged at warn after a warning.
const Pause = time.Second

// A Line is a warning of which there may be many. The first few are logged at once. Those within [Pause] of the first are
// one line more, with their count and the attributes of the last, and each is a line for debugging: none is missing. It
// holds the attributes of one line at most. It is safe for concurrent use.
type Line struct {
	write func(ctx context.Context, level slog.Level, attrs ...slog.Attr)
	few   int

	mu    sync.Mutex  // guards the fields below
	said  int         // of the few
	pause *time.Timer // after which what is held is logged; nil if nothing was logged lately
	held  int
	last  []slog.Attr // of those held
}

// New returns a line that write writes to a log, of which the first is logged at once.
func New(write func(ctx context.Context, level slog.Level, attrs ...slog.Attr)) *Line {
	return NewFew(1, write)
}

// NewFew returns a line that write writes to a log, of which so many are logged at once.
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

// flush logs what is held, and reports whether there was anything. The lock must be held.
func (l *Line) flush(ctx context.Context) bool {
	if l.held == 0 {
		return false
	}
	l.write(ctx, slog.LevelWarn, append([]slog.Attr{slog.Int("count", l.held)}, l.last...)...)
	l.held, l.last = 0, nil
	return true
}

// Close logs what is held. Warn is not to be called afterwards.
func (l *Line) Close(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pause != nil {
		l.pause.Stop()
		l.pause, l.said = nil, 0
	}
	l.flush(ctx)
}
