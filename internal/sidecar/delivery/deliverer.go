package delivery

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"carillon/internal/sidecar/appclient"
	"carillon/internal/sidecar/schedulerclient"
)

// A Config is what the streams of all apps have in common.
type Config struct {
	Schedulers *schedulerclient.Client
	// Streams is the number of streams to each scheduler for each app.
	Streams int
	// MaxTriggerBytes limits the data of the triggers in flight, over all streams.
	MaxTriggerBytes int64
	Namespace       string
	App             appclient.Options
	Health          *appclient.Health
	AppMetrics      *appclient.MetricsVec
	Metrics         *MetricsVec
	// Listening is called once for each app, when it listens or has no address.
	Listening func(ctx context.Context)
}

// A Deliverer delivers triggers to apps. It is safe for concurrent use.
type Deliverer struct {
	cfg   Config
	limit *triggerLimit
	log   *slog.Logger
}

// New returns a deliverer that does nothing until it runs.
func New(cfg Config, log *slog.Logger) *Deliverer {
	return &Deliverer{cfg: cfg, log: log, limit: newTriggerLimit(maxTriggers, cfg.MaxTriggerBytes)}
}

// Run delivers triggers to an app until ctx ends. It waits until the app listens, and then keeps
// streams to each scheduler of the list while the app is healthy. When it returns, the streams and
// all calls to the app have ended.
func (d *Deliverer) Run(ctx context.Context, app appclient.Config) error {
	log := d.log.With(slog.String("app", app.ID))
	if app.Address != "" && !appclient.WaitListening(ctx, app, d.cfg.App, log) {
		return nil
	}
	appMetrics := d.cfg.AppMetrics.ForApp(app.ID)
	client, err := appclient.New(ctx, app, d.cfg.App, appMetrics, log)
	if err != nil {
		return err
	}
	defer client.Close(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	if app.HasHealthCheck() {
		checker, err := appclient.NewHealthChecker(ctx, app, d.cfg.App, d.cfg.Health, appMetrics, log)
		if err != nil {
			return err
		}
		running.Go(func() { checker.Run(ctx) })
	}
	d.cfg.Listening(ctx)
	d.keepStreams(ctx, app.ID, client, log, &running)
	return nil
}

// keepStreams opens and closes streams until ctx ends: d.cfg.Streams to each scheduler of the list
// while the app is healthy, none otherwise. It adds them to running.
func (d *Deliverer) keepStreams(
	ctx context.Context, appID string, app *appclient.Client, log *slog.Logger,
	running *sync.WaitGroup,
) {
	metrics := d.cfg.Metrics.forApp(appID)
	cancel := make(map[string]context.CancelFunc) // by host
	defer func() {
		for _, stop := range cancel {
			stop()
		}
	}()
	for {
		hosts, _, listChanged := d.cfg.Schedulers.Hosts()
		healthy, healthChanged := d.cfg.Health.Of(appID)
		if !healthy {
			hosts = nil
		}
		for host, stop := range cancel {
			if !slices.Contains(hosts, host) {
				stop()
				delete(cancel, host)
			}
		}
		for _, host := range hosts {
			if cancel[host] != nil {
				continue
			}
			ofHost, stop := context.WithCancel(ctx)
			cancel[host] = stop
			for range d.cfg.Streams {
				s := &stream{
					appID: appID, namespace: d.cfg.Namespace, host: host,
					app: app, maxWorkers: min(app.MaxCalls(), maxTriggers),
					limit: d.limit, connect: d.cfg.Schedulers.Connect, metrics: metrics,
					log: log.With(slog.String("node", host)),
				}
				running.Go(func() { s.run(ofHost) })
			}
		}
		select {
		case <-listChanged:
		case <-healthChanged:
		case <-ctx.Done():
			return
		}
	}
}
