package schedulercmd

import (
	"cmp"
	"context"

	"carillon/internal/app"
	"carillon/internal/nodecmd"
)

// listen opens the ports of the node. An error names the flag of the port.
func (c *schedulerOptions) listen(ctx context.Context) (l app.SchedulerListeners, err error) {
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.Scheduler, err = nodecmd.Listen(ctx, "listen-address", c.listenAddress, "port", c.port); err != nil {
		return l, err
	}
	if l.Health, err = nodecmd.Listen(ctx, "healthz-listen-address", c.healthzAddress, "healthz-port", c.healthzPort); err != nil {
		return l, err
	}
	if l.Management, err = c.management.Listen(ctx); err != nil {
		return l, err
	}
	switch {
	case !c.metrics:
	case c.metricsAddress == "" && c.listenAddress != "":
		l.Metrics, err = nodecmd.Listen(ctx, "listen-address", c.listenAddress, "metrics-port", c.metricsPort)
	default:
		address := cmp.Or(c.metricsAddress, "0.0.0.0")
		l.Metrics, err = nodecmd.Listen(ctx, "metrics-listen-address", address, "metrics-port", c.metricsPort)
	}
	return l, err
}
