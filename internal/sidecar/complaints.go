package sidecar

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// complaintPause is how long the log says nothing of complaints after it did.
const complaintPause = time.Second

// complaints are warnings of which there may be many. The first is logged at once, and those within complaintPause of it
// as one with their count, and each for debugging: none is missing, and an app that is down does not drown the log. They
// are safe for concurrent use.
type complaints struct {
	say func(ctx context.Context, level slog.Level, attrs ...slog.Attr) // logs one

	mu    sync.Mutex  // guards the fields below
	pause *time.Timer // after which what is held is logged; nil if nothing was logged lately
	held  int
	last  []slog.Attr // of those held
}

// add logs a complaint with these attributes, now or soon.
func (c *complaints) add(ctx context.Context, attrs ...slog.Attr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pause != nil {
		c.held++
		c.last = attrs
		c.say(ctx, slog.LevelDebug, attrs...)
		return
	}
	c.say(ctx, slog.LevelWarn, attrs...)
	ctx = context.WithoutCancel(ctx)
	c.pause = time.AfterFunc(complaintPause, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.pause != nil && c.flush(ctx) {
			c.pause.Reset(complaintPause)
		} else {
			c.pause = nil
		}
	})
}

// flush logs what is held, and reports whether there was anything. The lock must be held.
func (c *complaints) flush(ctx context.Context) bool {
	if c.held == 0 {
		return false
	}
	c.say(ctx, slog.LevelWarn, append([]slog.Attr{slog.Int("count", c.held)}, c.last...)...)
	c.held, c.last = 0, nil
	return true
}

// close logs what is held. There may be no complaints afterwards.
func (c *complaints) close(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pause != nil {
		c.pause.Stop()
		c.pause = nil
	}
	c.flush(ctx)
}
