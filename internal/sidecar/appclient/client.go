package appclient

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"time"

	"carillon/internal/job"
	"carillon/internal/lograte"
)

// A Client calls one app. It is safe for concurrent use.
type Client struct {
	caller      caller
	concurrency semaphore
	maxCalls    int
	metrics     Metrics
	failures    *lograte.Line // triggers that the app did not handle
	localErrors *lograte.Line // triggers that a local error kept from the app
	unknown     *unknownJobs
}

// A Result is how a call of an app ended.
type Result struct {
	// Outcome is Lost if this process could not make the call, or ctx ended first.
	Outcome job.Outcome
	// Unknown reports that the app does not know the job; the outcome is Handled nevertheless.
	Unknown bool
}

// New returns a client that connects when it is first used, and no longer after ctx has ended.
func New(
	ctx context.Context, app Config, o Options, m Metrics, log *slog.Logger,
) (*Client, error) {
	c := &Client{
		metrics: m, maxCalls: math.MaxInt, unknown: newUnknownJobs(log),
		failures: lograte.New(func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
			log.LogAttrs(ctx, level, "the app did not handle a trigger", attrs...)
		}),
		localErrors: lograte.New(func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
			log.LogAttrs(ctx, level, "the app cannot be called because of a local error; the trigger is tried again", attrs...)
		}),
	}
	if app.Protocol == "http" || app.Protocol == "https" {
		c.maxCalls = o.MaxConns
	}
	if app.MaxConcurrency > 0 {
		c.concurrency = make(semaphore, app.MaxConcurrency)
		c.maxCalls = min(c.maxCalls, app.MaxConcurrency)
	}
	switch {
	case app.Address == "":
		c.caller = absentApp{}
	case app.IsGRPC():
		var err error
		if c.caller, err = newGRPCCaller(app, o, m); err != nil {
			return nil, err
		}
	default:
		c.caller = newHTTPCaller(app, o.dialingUntil(ctx), m)
	}
	return c, nil
}

// dialingUntil returns o with a dialer that also ends with ctx. Transports of net/http go on
// dialing after the request has ended that asked for the connection.
func (o Options) dialingUntil(ctx context.Context) Options {
	dial := o.Dial
	o.Dial = func(dialing context.Context, address string) (net.Conn, error) {
		dialing, cancel := context.WithCancel(dialing)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		return dial(dialing, address)
	}
	return o
}

// MaxCalls returns how many calls can be with the app at once. More of them would only wait.
func (c *Client) MaxCalls() int { return c.maxCalls }

// Call sends a trigger to the app, as soon as the app's concurrency allows it.
func (c *Client) Call(ctx context.Context, t job.Trigger) Result {
	if !c.concurrency.acquire(ctx) {
		return Result{Outcome: job.Lost}
	}
	defer c.concurrency.release()
	start := time.Now()
	r := c.caller.call(ctx, t)
	if r.outcome != job.Handled && ctx.Err() != nil {
		return Result{Outcome: job.Lost}
	}
	if r.counted {
		c.metrics.jobs(r.err == nil).Observe(time.Since(start))
	}
	if r.err != nil {
		c.logFailure(ctx, t, r)
	}
	return Result{Outcome: r.outcome, Unknown: r.unknownPath != ""}
}

func (c *Client) logFailure(ctx context.Context, t job.Trigger, r callResult) {
	switch attrs := []slog.Attr{slog.String("job", t.Key.Name), slog.Any("err", r.err)}; {
	case r.unknownPath != "":
		c.unknown.add(ctx, r.unknownPath, attrs...)
	case r.outcome == job.Lost:
		c.localErrors.Warn(ctx, attrs...)
	default:
		c.failures.Warn(ctx, attrs...)
	}
}

// Close closes the connections to the app. All calls must have ended.
func (c *Client) Close(ctx context.Context) {
	c.caller.close()
	c.failures.Close(ctx)
	c.localErrors.Close(ctx)
	c.unknown.close(ctx)
}

// absentApp is the caller of an app without an address. All its triggers fail.
type absentApp struct{}

func (absentApp) call(context.Context, job.Trigger) callResult {
	return callResult{
		outcome: job.Failed,
		err:     errors.New("received job, but app channel not initialized"),
	}
}

func (absentApp) close() {}
