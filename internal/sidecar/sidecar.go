package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"carillon/internal/sidecar/apiserver"
	"carillon/internal/sidecar/appclient"
	"carillon/internal/sidecar/daprlog"
	"carillon/internal/sidecar/daprmetrics"
	"carillon/internal/sidecar/delivery"
	"carillon/internal/sidecar/schedulerclient"
)

// A Sidecar serves the jobs API, and delivers triggers to apps.
type Sidecar struct {
	cfg        Config
	log        *slog.Logger
	created    time.Time
	readiness  *apiserver.Readiness
	health     *appclient.Health
	schedulers *schedulerclient.Client
	api        *apiserver.Server
	deliverer  *delivery.Deliverer
}

// New returns a sidecar that does nothing until it runs. The error says what is wrong with cfg.
func New(cfg Config, dial Dialers, log *slog.Logger) (*Sidecar, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	dial.setDefaults()
	s := &Sidecar{
		cfg: cfg, log: log.With(slog.String("component", "sidecar")), created: time.Now(),
		readiness: apiserver.NewReadiness(cfg.Apps, cfg.Schedulers), health: appclient.NewHealth(cfg.Apps),
	}
	metrics := daprmetrics.NewRegistry(cfg.Metrics)
	grpcCalls := daprmetrics.NewGRPCClientVec(metrics)
	s.schedulers = schedulerclient.New(schedulerclient.Config{
		Addresses: cfg.Schedulers, Dial: dial.Scheduler, Credentials: cfg.Credentials,
		NoPings: cfg.NoPings,
		Calls:   grpcCalls.ForApp(cfg.DefaultApp), Listed: s.schedulersListed,
	}, s.log)
	s.api = apiserver.New(apiserver.Config{
		Apps: cfg.Apps, DefaultApp: cfg.DefaultApp, AnyApp: cfg.AnyApp, Namespace: cfg.Namespace,
		NoPings: cfg.NoPings, NoHTTP2: cfg.NoHTTP2,
		MaxBody: cfg.MaxBody, MaxCallBytes: cfg.MaxCallBytes, MaxHeader: cfg.MaxHeader,
		APIToken: cfg.APIToken, Hosts: cfg.Hosts, Version: cfg.Version,
		Shutdown: cfg.Shutdown, Check: cfg.Check, Strict: cfg.Strict, Connected: cfg.Connected,
		LogCalls: cfg.LogCalls, Metrics: metrics,
	}, s.schedulers, s.readiness, s.log)
	s.deliverer = delivery.New(delivery.Config{
		Schedulers: s.schedulers, Streams: cfg.Streams, MaxTriggerBytes: cfg.MaxTriggerBytes,
		Namespace: cfg.Namespace,
		App: appclient.Options{
			Dial: dial.App, MaxMessage: cfg.MaxBody, MaxHeader: cfg.MaxHeader,
			MaxConns: cfg.connsPerApp(), Token: cfg.AppToken,
		},
		Health:     s.health,
		AppMetrics: appclient.NewMetricsVec(metrics, cfg.MetricsNamespace, grpcCalls),
		Metrics:    delivery.NewMetricsVec(metrics),
		Listening:  s.appListens,
	}, s.log)
	return s, nil
}

// Run serves until ctx ends, and then returns nil, or until a listener fails. All that it started
// has ended when it returns. It is called once.
func (s *Sidecar) Run(ctx context.Context, l Listeners) error {
	defer s.api.Close(ctx)
	defer s.schedulers.Close() // after the API, whose last calls use it
	ctx, stop := s.blockShutdown(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	if len(l.Public) > 0 {
		g.Go(func() error { return s.api.ServePublic(ctx, l) })
	}
	g.Go(func() error { return s.start(ctx, g, l) })
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// start waits until the sidecar may begin. Then it starts in g all but the public listeners.
func (s *Sidecar) start(ctx context.Context, g *errgroup.Group, l Listeners) error {
	if err := s.cfg.Await(ctx); err != nil {
		for _, listener := range slices.Concat(l.HTTP, l.GRPC, l.Internal) {
			err = errors.Join(err, listener.Close())
		}
		return err
	}
	s.readiness.SetCertificate()
	if len(s.cfg.Schedulers) == 0 {
		s.log.InfoContext(ctx, "No scheduler host addresses provided. Scheduler disabled")
		s.readiness.SetSchedulers()
	} else {
		g.Go(func() error { return s.schedulers.WatchHosts(ctx) })
	}
	for _, app := range s.cfg.Apps {
		g.Go(func() error { return s.deliverer.Run(ctx, app) })
	}
	g.Go(func() error { return s.api.Serve(ctx, l) })
	return nil
}

// schedulersListed is called after each list of schedulers.
func (s *Sidecar) schedulersListed(ctx context.Context) {
	if s.readiness.SetSchedulers() {
		daprlog.Info(ctx, s.log, "Scheduler clients initialized")
	}
}

// appListens is called once for each app.
func (s *Sidecar) appListens(ctx context.Context) {
	if s.readiness.AddApp() {
		took := time.Since(s.created).Milliseconds()
		daprlog.Info(ctx, s.log, fmt.Sprintf("dapr initialized. Status: Running. Init Elapsed %dms", took))
	}
}

// blockShutdown returns a context that ends after ctx has ended, and then Config.BlockShutdown has
// passed or all apps have become unhealthy. It also ends when stop is called, which the caller
// must.
func (s *Sidecar) blockShutdown(ctx context.Context) (blocked context.Context, stop func()) {
	if s.cfg.BlockShutdown <= 0 {
		return context.WithCancel(ctx)
	}
	blocked, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer cancel()
		select {
		case <-ctx.Done():
		case <-blocked.Done():
			return
		}
		s.log.InfoContext(blocked, "blocking shutdown for a while, or until all apps are unhealthy",
			slog.Duration("duration", s.cfg.BlockShutdown))
		timeout, cancelTimeout := context.WithTimeout(blocked, s.cfg.BlockShutdown)
		defer cancelTimeout()
		s.health.WaitUnhealthy(timeout)
	})
	return blocked, func() {
		cancel()
		waiting.Wait()
	}
}

// setDefaults makes TCP the default.
func (d *Dialers) setDefaults() {
	var tcp net.Dialer
	overTCP := func(ctx context.Context, address string) (net.Conn, error) {
		return tcp.DialContext(ctx, "tcp", address)
	}
	if d.Scheduler == nil {
		d.Scheduler = overTCP
	}
	if d.App == nil {
		d.App = overTCP
	}
}
