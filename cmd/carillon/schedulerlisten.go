package main

import (
	"cmp"
	"context"

	"carillon/internal/app"
)

// listen opens the ports of the node. An error names the flag of the port.
func (c *schedulerConfig) listen(ctx context.Context) (l app.SchedulerListeners, err error) {
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.Scheduler, err = listen(ctx, "listen-address", c.listenAddress, "port", c.port); err != nil {
		return l, err
	}
	if l.Health, err = listen(ctx, "healthz-listen-address", c.healthzAddress, "healthz-port", c.healthzPort); err != nil {
		return l, err
	}
	if l.Management, err = c.management.listen(ctx); err != nil {
		return l, err
	}
	switch {
	case !c.metrics:
	case c.metricsAddress == "" && c.listenAddress != "":
		l.Metrics, err = listen(ctx, "listen-address", c.listenAddress, "metrics-port", c.metricsPort)
	default:
		address := cmp.Or(c.metricsAddress, "0.0.0.0")
		l.Metrics, err = listen(ctx, "metrics-listen-address", address, "metrics-port", c.metricsPort)
	}
	return l, err
}
