package sidecarcmd

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"carillon/internal/nodecmd"
)

// Reasons why a node stops, other than a signal or a failure.
var (
	errRequested = errors.New("a client requested a shutdown")
	errOverdue   = errors.New("the node did not stop in time")
)

// supervise runs a node until ctx ends, and then waits until it has stopped or its shutdown time is over.
// After nodecmd.ErrForced and errOverdue the node is still running: the process must end without it.
func (c *sidecarOptions) supervise(
	ctx context.Context, run func(context.Context) error, forced <-chan struct{}, log *slog.Logger,
) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(running) }()
	stopping := ctx.Done()
	var overdue <-chan time.Time // nil until the shutdown begins
	for {
		select {
		case err := <-ended:
			return err
		case <-stopping:
			logStop(ctx, log)
			if most, bounded := c.shutdownTimeout(); bounded {
				overdue = time.NewTimer(most).C
			}
			stop()
			stopping = nil
		case <-forced:
			return nodecmd.ErrForced
		case <-overdue:
			return errOverdue
		}
	}
}

// shutdownTimeout returns how long the shutdown of the node may take, if that is bounded. An unhealthy app
// ends the time of --dapr-block-shutdown-duration early, but does not change this bound.
func (c *sidecarOptions) shutdownTimeout() (most time.Duration, bounded bool) {
	seconds := c.graceSeconds
	if seconds < 0 {
		seconds = 5
	}
	return max(0, c.block) + time.Duration(seconds)*time.Second, seconds > 0
}

// logStop logs why ctx ended, in daprd's words.
func logStop(ctx context.Context, log *slog.Logger) {
	cause := context.Cause(ctx)
	sig, _ := errors.AsType[nodecmd.SignalError](cause)
	switch {
	case errors.Is(cause, errRequested):
		log.LogAttrs(ctx, slog.LevelInfo, "Received shutdown request; beginning shutdown")
	case sig.Signal == os.Interrupt:
		log.LogAttrs(ctx, slog.LevelInfo, "Received signal 'interrupt'; beginning shutdown")
	default:
		log.LogAttrs(ctx, slog.LevelInfo, "Received signal 'terminated'; beginning shutdown")
	}
}
