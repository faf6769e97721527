package sidecar

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"carillon/internal/job"
)

// A receiver is the app as triggers see it. It is safe for concurrent use.
type receiver interface { // httpApp; grpcApp; noApp
	// Trigger calls the app once, however long that takes. The outcome is Lost if ctx ended first.
	Trigger(ctx context.Context, t job.Trigger) job.Outcome
	// close ends connections to the app.
	close()
}

// openApp is the receiver of an app. It connects when the first trigger comes, and no longer once ctx ended.
func (s *Sidecar) openApp(ctx context.Context, a App, log *slog.Logger) (receiver, error) {
	failed := &failures{log: log}
	if a.Address == "" {
		return noApp{failed: failed}, nil
	}
	var places room
	if a.MaxConcurrency > 0 {
		places = make(room, a.MaxConcurrency)
	}
	if a.grpc() {
		return newGRPCApp(a, s.cfg, s.dial.App, places, failed)
	}
	dial := func(dialing context.Context, address string) (net.Conn, error) {
		dialing, cancel := context.WithCancel(dialing) // which lasts longer than the request that it is for
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		return s.dial.App(dialing, address)
	}
	return newHTTPApp(a, s.cfg, dial, places, failed), nil
}

// appTLS is for an app beside us, whose certificate Dapr does not check, either.
func appTLS(a App) *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	if a.Protocol == "grpcs" {
		c.NextProtos = []string{"h2"}
	}
	return c
}

// room limits how many calls an app has at once: each holds one place in the channel. A nil room has no limit.
type room chan struct{}

// enter waits for a place, and reports whether there was one before ctx ended.
func (r room) enter(ctx context.Context) bool {
	if r == nil {
		return true
	}
	select {
	case r <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r room) leave() {
	if r != nil {
		<-r
	}
}

// noApp is an app that is not there. Its sidecar takes triggers all the same, and fails them.
type noApp struct{ failed *failures }

func (n noApp) Trigger(ctx context.Context, t job.Trigger) job.Outcome {
	n.failed.note(ctx, t, errors.New("received job, but app channel not initialized"))
	return job.Failed
}

func (noApp) close() {}

// failures logs triggers that an app did not handle: one a second as a warning, and the others for debugging, so that an app
// that is down does not drown the log.
type failures struct {
	log    *slog.Logger
	warned atomic.Int64 // when, in nanoseconds
}

func (f *failures) note(ctx context.Context, t job.Trigger, err error) {
	level := slog.LevelDebug
	now, last := time.Now().UnixNano(), f.warned.Load()
	if now-last >= int64(time.Second) && f.warned.CompareAndSwap(last, now) {
		level = slog.LevelWarn
	}
	f.log.Log(ctx, level, "the app did not handle a trigger", slog.String("job", t.Key.Name), slog.Any("err", err))
}
