package cluster

import (
	"context"
	"fmt"
)

// Join implements [Coordinator]. It returns an error at once if etcd grants no lease.
func (e *Etcd) Join(ctx context.Context, n Node, do func(context.Context, Session)) error {
	s, err := e.newSession(ctx)
	if err != nil {
		return err
	}
	farewell, cancel := withGrace(ctx, releaseTimeout)
	defer cancel()
	defer s.revoke(farewell)
	if s.firstHeartbeat, err = s.heartbeat(ctx); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}

	inner, end := context.WithCancelCause(ctx)
	defer end(nil)
	s.onEnd = func(f func()) (stop func() bool) { return context.AfterFunc(inner, f) }
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		if !s.keepAlive(keeping) {
			end(ErrLost)
		}
	}()
	defer func() { stop(); <-kept }()
	detected := make(chan struct{})
	go func() { defer close(detected); s.detectFailures(inner) }()
	defer func() { end(nil); <-detected }()

	if err := s.register(inner, n); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("join as %q: %w", n.ID, lostOr(inner, err))
	}
	do(inner, s)
	return lostOr(inner, nil)
}

// lostOr returns ErrLost if that is why ctx has ended, otherwise err.
func lostOr(ctx context.Context, err error) error {
	if isLost(ctx) {
		return ErrLost
	}
	return err
}
