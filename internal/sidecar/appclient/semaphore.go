package appclient

import "context"

// A semaphore limits concurrency: each holder has one slot in the channel. Nil has no limit.
type semaphore chan struct{}

// acquire waits for a slot, and reports whether it got one before ctx ended.
func (s semaphore) acquire(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	if s == nil {
		return true
	}
	select {
	case s <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s semaphore) release() {
	if s != nil {
		<-s
	}
}
