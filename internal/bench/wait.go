package bench

import (
	"context"
	"time"
)

// until waits for the instant t. It returns an error when ctx ends.
func until(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// retryUntilRecovered calls f until it returns nil, for the time recovery at most.
func retryUntilRecovered(ctx context.Context, f func() error) error {
	for begin := time.Now(); ; {
		err := f()
		if err == nil || time.Since(begin) > recovery {
			return err
		}
		if err := until(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
			return err
		}
	}
}

// recovery is how long a server may refuse requests after an overload.
const recovery = 2 * time.Minute
