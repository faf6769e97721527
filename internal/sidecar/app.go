package sidecar

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"

	"carillon/internal/job"
	"carillon/internal/lograte"
)

// An app is whom triggers are delivered to. It is safe for concurrent use.
type app struct {
	receiver receiver
	room     room
	most     int // calls that it can have at once
	metrics  appMetrics
	log      *slog.Logger
	failures *lograte.Line // of triggers that the app did not handle
	local    *lograte.Line // of triggers that could not be sent to it because of a local error
	unknown  *unknownJobs
}

// A receiver is how an app is called. It is safe for concurrent use.
type receiver interface { // httpApp; grpcApp; noApp
	// call calls the app once, however long that takes, unless ctx ends first.
	call(ctx context.Context, t job.Trigger) verdict
	// close ends connections to the app.
	close()
}

// A verdict is what became of a call of an app.
type verdict struct {
	outcome  job.Outcome // Lost if this process could not make the call, which says nothing about the app
	err      error       // why the app did not take the trigger; nil if it did
	answered bool        // Dapr's metrics of jobs count the call
	unknown  string      // what was called, if the app does not know the job; the outcome is Handled all the same
}

// label is what the metrics of attempts call v.
func (v verdict) label() attemptLabel {
	if v.unknown != "" {
		return notFound
	}
	return attemptLabel(v.outcome.String())
}

// openApp is the app that triggers for a go to. It connects when the first trigger comes, and no longer once ctx ended.
func (s *Sidecar) openApp(ctx context.Context, a App, log *slog.Logger) (*app, error) {
	opened := &app{
		metrics: s.metrics.of(a.ID), log: log, most: maxInWork, unknown: newUnknownJobs(log),
		failures: lograte.New(func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
			log.LogAttrs(ctx, level, "the app did not handle a trigger", attrs...)
		}),
		local: lograte.New(func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
			log.LogAttrs(ctx, level, "the app cannot be called because of a local error; the trigger is tried again", attrs...)
		}),
	}
	if a.Protocol == "http" || a.Protocol == "https" {
		opened.most = s.cfg.connsPerApp()
	}
	if a.MaxConcurrency > 0 {
		opened.room = make(room, a.MaxConcurrency)
		opened.most = min(opened.most, a.MaxConcurrency)
	}
	switch {
	case a.Address == "":
		opened.receiver = noApp{}
	case a.grpc():
		var err error
		if opened.receiver, err = newGRPCApp(a, s.cfg, s.dial.App, opened.metrics); err != nil {
			return nil, err
		}
	default:
		opened.receiver = newHTTPApp(a, s.cfg, s.dialWhile(ctx), opened.metrics)
	}
	return opened, nil
}

// dialWhile dials apps until ctx ends, for transports that go on dialing when the request has ended that it was for.
func (s *Sidecar) dialWhile(ctx context.Context) Dialer {
	return func(dialing context.Context, address string) (net.Conn, error) {
		dialing, cancel := context.WithCancel(dialing)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		return s.dial.App(dialing, address)
	}
}

// trigger delivers a trigger once there is room for it, and counts the attempt. The outcome is Lost if ctx ended first,
// or if this process could not make the call.
func (a *app) trigger(ctx context.Context, t job.Trigger) job.Outcome {
	v := a.call(ctx, t)
	a.metrics.attempts.of(v.label()).Inc()
	return v.outcome
}

func (a *app) call(ctx context.Context, t job.Trigger) verdict {
	if !a.room.enter(ctx) {
		return verdict{outcome: job.Lost}
	}
	defer a.room.leave()
	began := time.Now()
	v := a.receiver.call(ctx, t)
	if v.outcome != job.Handled && ctx.Err() != nil {
		return verdict{outcome: job.Lost}
	}
	if v.answered {
		a.metrics.jobs.of(v.err == nil).add(time.Since(began))
	}
	if v.err == nil {
		return v
	}
	switch attrs := []slog.Attr{slog.String("job", t.Key.Name), slog.Any("err", v.err)}; {
	case v.unknown != "":
		a.unknown.add(ctx, v.unknown, attrs...)
	case v.outcome == job.Lost:
		a.local.Warn(ctx, attrs...)
	default:
		a.failures.Warn(ctx, attrs...)
	}
	return v
}

// close ends connections to the app. No trigger may be with it.
func (a *app) close(ctx context.Context) {
	a.receiver.close()
	a.failures.Close(ctx)
	a.local.Close(ctx)
	a.unknown.close(ctx)
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
	if ctx.Err() != nil {
		return false
	}
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
type noApp struct{}

func (noApp) call(context.Context, job.Trigger) verdict {
	return verdict{outcome: job.Failed, err: errors.New("received job, but app channel not initialized")}
}

func (noApp) close() {}
