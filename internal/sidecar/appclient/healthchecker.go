package appclient

import (
	"context"
	"log/slog"
	"time"
)

// A HealthChecker probes one app at an interval, and keeps its state in a Health.
type HealthChecker struct {
	app     Config
	prober  prober
	health  *Health
	metrics Metrics
	log     *slog.Logger
}

// A prober probes an app once at a time. It has its own connections, so that an app whose
// connections are all busy can answer.
type prober interface { // httpProber; grpcProber
	// probe returns an error that says why the app is not healthy.
	probe(ctx context.Context) error
	// close closes the connections to the app.
	close()
}

// NewHealthChecker returns a checker that connects when it is first used.
func NewHealthChecker(
	ctx context.Context, app Config, o Options, h *Health, m Metrics, log *slog.Logger,
) (*HealthChecker, error) {
	c := &HealthChecker{app: app, health: h, metrics: m, log: log}
	if !app.IsGRPC() {
		c.prober = newHTTPProber(app, o.dialingUntil(ctx), m)
		return c, nil
	}
	conn, err := newGRPCConn(app, o)
	if err != nil {
		return nil, err
	}
	c.prober = &grpcProber{conn: conn, metrics: m}
	return c, nil
}

// Run probes the app until ctx ends: at once, and then at each interval. Only probes count, not how
// triggers end. A probe that a local error prevented changes nothing. One success makes an app
// healthy. As many failures in a row as the threshold make it unhealthy; Dapr instead counts all
// failures since the app became healthy.
func (c *HealthChecker) Run(ctx context.Context) {
	defer c.prober.close()
	tick := time.NewTicker(c.app.Health.Interval)
	defer tick.Stop()
	healthy, failures, known := false, 0, false
	set := func(now bool) {
		healthy, failures, known = now, 0, true
		c.health.set(c.app.ID, now)
	}
	for {
		err := c.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case isLocal(err):
			c.log.WarnContext(ctx, "the app could not be asked for its health, which stays what it was", slog.Any("err", err))
		case err != nil:
			failures++
			c.log.DebugContext(ctx, "a probe of the app's health failed", slog.Any("err", err))
		default:
			failures = 0
		}
		switch {
		case isLocal(err):
		case !healthy && err == nil:
			set(true)
			c.metrics.healthy().Set(1)
			c.log.InfoContext(ctx, "the app is healthy and gets triggers")
		case healthy && failures == c.app.Health.Threshold, !known:
			set(false)
			c.metrics.healthy().Set(0)
			c.log.WarnContext(ctx, "the app is unhealthy and gets no triggers", slog.Any("err", err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *HealthChecker) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.app.Health.Timeout)
	defer cancel()
	return c.prober.probe(ctx)
}
