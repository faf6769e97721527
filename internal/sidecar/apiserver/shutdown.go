package apiserver

import (
	"context"
	"log/slog"
	"time"

	"carillon/internal/pause"
	"carillon/internal/sidecar/daprlog"
)

// shutdownDelay is how long the response to a shutdown request has to reach the client before the
// process is told.
const shutdownDelay = 100 * time.Millisecond

// forceHeader makes a shutdown forced if its value is true; an HTTP header or gRPC metadata.
const forceHeader = "dapr-force-shutdown"

// shutdownRequests are requests to end the process. Each channel holds at most one; more add
// nothing.
type shutdownRequests struct {
	graceful, forced chan struct{}
}

func newShutdownRequests() shutdownRequests {
	return shutdownRequests{make(chan struct{}, 1), make(chan struct{}, 1)}
}

// request adds a request, and does not block.
func (s shutdownRequests) request(forced bool) {
	to := s.graceful
	if forced {
		to = s.forced
	}
	select {
	case to <- struct{}{}:
	default:
	}
}

// pass passes requests to shutdown, which may be nil, until ctx ends.
func (s shutdownRequests) pass(ctx context.Context, shutdown func(forced bool), log *slog.Logger) {
	for {
		forced := false
		select {
		case <-s.graceful:
		case <-s.forced:
			forced = true
		case <-ctx.Done():
			return
		}
		daprlog.Info(ctx, log, "Shutdown requested via API")
		if forced {
			daprlog.Info(ctx, log, "Force shutdown requested, exiting immediately without graceful shutdown")
		}
		pause.For(ctx, shutdownDelay)
		if shutdown != nil {
			shutdown(forced)
		}
	}
}
