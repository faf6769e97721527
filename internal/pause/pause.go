// Package pause waits between attempts.
package pause

import (
	"context"
	"math/rand/v2"
	"time"
)

// For waits for d, and reports whether ctx lasted that long.
func For(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Between waits for a random time in the range, and reports whether ctx lasted that long.
func Between(ctx context.Context, least, most time.Duration) bool {
	return For(ctx, least+rand.N(most-least+1)) // the 1 ns makes most itself possible
}
