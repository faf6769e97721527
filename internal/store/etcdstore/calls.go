package etcdstore

import (
	"context"
	"errors"
	"fmt"
)

// errGaveUp is the error of calls after GiveUp.
var errGaveUp = errors.New("the node is stopping, and etcd has no leader")

// GiveUp ends all calls, now and later, with an error; etcd may carry out those in progress. It is
// for a node that stops while etcd has no leader.
func (s *Store) GiveUp() { s.cancelCalls(errGaveUp) }

// withTimeout returns a context for one call: it ends after the timeout of a call, or after GiveUp.
func (s *Store) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.callsCtx, func() { cancel(context.Cause(s.callsCtx)) })
	ctx, timeout := context.WithTimeoutCause(ctx, s.config.Timeout, fmt.Errorf("etcd did not respond within %v", s.config.Timeout))
	return ctx, func() { stop(); timeout(); cancel(nil) }
}

// explain returns the cause of ctx, a context of withTimeout, if err is the error of ctx; otherwise
// err.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}
