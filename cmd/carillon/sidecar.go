package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"carillon/internal/app"
	"carillon/internal/descriptors"
	"carillon/internal/memory"
	"carillon/internal/sidecar"
)

// daprVersion is the version that a sidecar gives as its own. Tools read it: from 1.15.1 on, `dapr run` tells its
// sidecar where the scheduler is.
const daprVersion = sidecar.DaprVersion

// runSidecar runs a sidecar until ctx ends. Whatever goes wrong stands in the log, on standard output, where daprd says
// it.
func runSidecar(ctx context.Context, args []string, std stdio) error {
	fs, c := sidecarFlags()
	if err := parse(fs, sidecarUsage, args, std); err != nil {
		return err
	}
	switch {
	case bool(c.printVersion):
		_, err := fmt.Fprintln(std.Out, daprVersion)
		return err
	case bool(c.printBuild):
		version, revision := built()
		_, err := fmt.Fprintf(std.Out, "Version: %s\nGit Commit: %s\nGit Version: %s\n", daprVersion, revision, version)
		return err
	case bool(c.wait):
		return c.await(ctx, std)
	}
	log, closeLog, err := c.log.open(std.Out)
	inFile := err == nil && c.log.file != ""
	if err != nil {
		plain := logConfig{level: "info", json: c.log.json}
		log, closeLog, _ = plain.open(std.Out) // which always works
	}
	defer closeLog()
	log = asDapr(log.With(slog.String("app_id", c.appID)), "carillon.sidecar")
	if err == nil {
		err = c.run(ctx, std, log)
	}
	switch {
	case errors.Is(err, errOverdue):
		log.LogAttrs(ctx, levelFatal, "Graceful shutdown timeout exceeded, forcing shutdown")
		return errInLog
	case err != nil:
		log.LogAttrs(ctx, levelFatal, "the sidecar ended", slog.Any("err", err))
		if inFile {
			fmt.Fprintf(std.Err, "carillon: %v\n", err)
		}
		return errInLog
	}
	log.LogAttrs(ctx, slog.LevelInfo, "Daprd shutdown gracefully")
	return nil
}

func (c *sidecarConfig) run(ctx context.Context, std stdio, log *slog.Logger) error {
	cfg, err := c.node(std)
	if err != nil {
		return err
	}
	shares, release, err := c.memory.apply(ctx, memory.Sidecar, std, log)
	if err != nil {
		return err
	}
	defer release()
	cfg.Memory = shares
	cfg.Descriptors = divideDescriptors(ctx, descriptors.Parts{Sidecar: true}, log)
	if err := c.secure(&cfg, std, log); err != nil {
		return err
	}
	l, err := c.listen(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	forced := make(chan struct{})
	force := sync.OnceFunc(func() { close(forced) })
	cfg.Sidecar.Shutdown = func(byForce bool) {
		if byForce {
			force()
		} else {
			stop(errAsked)
		}
	}
	cfg.OnListening = listening(cfg.Sidecar, l, log)
	node, err := app.OpenSidecar(cfg, l, log)
	if err != nil {
		return err
	}
	warnSidecar(ctx, cfg.Sidecar, l, log)
	return c.supervise(ctx, node.Run, forced, log)
}

// Why a sidecar stops, other than by a signal or because a part of it failed.
var (
	errAsked   = errors.New("a client asked for it")
	errForced  = errors.New("a client asked for it to end at once")
	errOverdue = errors.New("it did not stop in time")
)

// supervise runs a node until ctx ends, and then for as long as the flags let it. Where it returns errForced or
// errOverdue, the node is still running, and the process is to end without it.
func (c *sidecarConfig) supervise(
	ctx context.Context, run func(context.Context) error, forced <-chan struct{}, log *slog.Logger,
) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(running) }()
	stopping := ctx.Done()
	var overdue <-chan time.Time // never, as long as it need not stop
	for {
		select {
		case err := <-ended:
			return err
		case <-stopping:
			logStop(ctx, log)
			if most, bounded := c.patience(); bounded {
				overdue = time.NewTimer(most).C
			}
			stop()
			stopping = nil
		case <-forced:
			return errForced
		case <-overdue:
			return errOverdue
		}
	}
}

// patience returns how long the node may run on when it is to stop, if there is a bound to that. An app that becomes
// unhealthy meanwhile ends the time for which everything goes on, but not this bound.
func (c *sidecarConfig) patience() (most time.Duration, bounded bool) {
	seconds := c.graceSeconds
	if seconds < 0 {
		seconds = 5
	}
	return max(0, c.block) + time.Duration(seconds)*time.Second, seconds > 0
}

// logStop says why ctx ended, in daprd's words.
func logStop(ctx context.Context, log *slog.Logger) {
	cause := context.Cause(ctx)
	sig, _ := errors.AsType[signalError](cause)
	switch {
	case errors.Is(cause, errAsked):
		log.LogAttrs(ctx, slog.LevelInfo, "Received shutdown request; beginning shutdown")
	case sig.Signal == os.Interrupt:
		log.LogAttrs(ctx, slog.LevelInfo, "Received signal 'interrupt'; beginning shutdown")
	default:
		log.LogAttrs(ctx, slog.LevelInfo, "Received signal 'terminated'; beginning shutdown")
	}
}
