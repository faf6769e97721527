package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"
)

// errNotRunning is the health of a node that has not started yet, or has begun to stop.
var errNotRunning = errors.New("the node is starting or stopping")

// readiness is a check that succeeds while its component runs. It is the last component of a node, which
// starts last and stops first: the node is unhealthy before any other component stops.
type readiness struct{ running atomic.Bool }

func (r *readiness) run(ctx context.Context) error {
	r.running.Store(true)
	<-ctx.Done()
	r.running.Store(false)
	return nil
}

// check is a [check].
func (r *readiness) check() error {
	if !r.running.Load() {
		return errNotRunning
	}
	return nil
}

// logListening logs the address of a scheduler in Dapr's words, for which other programs wait.
func logListening(ctx context.Context, log *slog.Logger, l net.Listener) {
	if l.Addr().Network() == "tcp" {
		log.LogAttrs(ctx, slog.LevelInfo, "Dapr Scheduler listening on: "+l.Addr().String()) //nolint:sloglint // the line is Dapr's
	}
}

// logWhenReady returns a component that logs once that all checks succeed, in Dapr's words, for which
// people and scripts wait.
func logWhenReady(checks []check, log *slog.Logger) component {
	const interval = 20 * time.Millisecond
	return func(ctx context.Context) error {
		poll := time.NewTicker(interval)
		defer poll.Stop()
		for runChecks(checks) != nil {
			select {
			case <-poll.C:
			case <-ctx.Done():
				return nil
			}
		}
		log.LogAttrs(ctx, slog.LevelInfo, "Dapr Scheduler api is ready")
		<-ctx.Done()
		return nil
	}
}
