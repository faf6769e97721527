package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"carillon/internal/crossorigin"
	"carillon/internal/limits"
	"carillon/internal/lograte"
)

// drainTime is how long API calls in flight have to finish when the sidecar stops.
const drainTime = 500 * time.Millisecond

// A Sidecar serves the jobs API, and delivers triggers to apps.
type Sidecar struct {
	cfg        Config
	dial       Dialers
	log        *slog.Logger
	began      time.Time // when it was made
	metrics    *metrics
	schedulers *schedulers
	vitals     *vitals
	ready      readiness
	calls      calls
	lists      *semaphore.Weighted // bytes that lists receive from schedulers
	triggers   *triggers
	extended   extended
	shutdowns  shutdowns
	warnings   *lograte.Line
	refusals   *lograte.Line           // of calls without the token
	browsers   *crossorigin.Protection // of listeners that ask for no token
}

// Listeners are where the API is served. A sidecar closes them.
type Listeners struct {
	HTTP, GRPC []net.Listener
	Public     []net.Listener // health and metadata alone, for whoever has no token
	Internal   []net.Listener // where Dapr's sidecars call one another; nothing is served there
}

// New returns a sidecar that does nothing yet. The error says what is wrong with cfg.
func New(cfg Config, dial Dialers, log *slog.Logger) (*Sidecar, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	var tcp net.Dialer
	overTCP := func(ctx context.Context, address string) (net.Conn, error) {
		return tcp.DialContext(ctx, "tcp", address)
	}
	if dial.Scheduler == nil {
		dial.Scheduler = overTCP
	}
	if dial.App == nil {
		dial.App = overTCP
	}
	s := &Sidecar{
		cfg: cfg, dial: dial, log: log.With(slog.String("component", "sidecar")), began: time.Now(),
		calls: calls{bytes: limits.NewBudget(cfg.MaxCallBytes)}, shutdowns: newShutdowns(),
		metrics: newMetrics(cfg), vitals: newVitals(cfg.Apps), browsers: crossorigin.New(cfg.Hosts),
	}
	s.warnings, s.refusals = newWarnings(s.log), newRefusals(s.log)
	s.lists = semaphore.NewWeighted(cfg.MaxCallBytes)
	s.triggers = newTriggers(maxInWork, cfg.MaxTriggerBytes)
	s.extended.set("daprRuntimeVersion", cfg.Version)
	s.schedulers = newSchedulers(s.host, cfg.Schedulers)
	s.ready.apps.Store(int32(len(cfg.Apps)))
	return s, nil
}

// Run serves until ctx ends, and then returns nil; or until a listener fails. All that it started has ended by then.
// It is to be called once.
func (s *Sidecar) Run(ctx context.Context, l Listeners) error {
	defer s.warnings.Close(ctx)
	defer s.refusals.Close(ctx)
	defer s.schedulers.close() // last: API calls that drain still use them
	ctx, stop := s.outlast(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	if len(l.Public) > 0 {
		public := s.log.With(slog.String("api", "public"))
		g.Go(func() error { return s.serveHTTP(ctx, public, l.Public, s.answerPublic) })
	}
	g.Go(func() error {
		s.passShutdowns(ctx)
		return nil
	})
	g.Go(func() error { return s.begin(ctx, g, l) })
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// begin waits until the sidecar may begin, and then starts in g all that is not for the public.
func (s *Sidecar) begin(ctx context.Context, g *errgroup.Group, l Listeners) error {
	if err := s.cfg.Await(ctx); err != nil {
		for _, one := range slices.Concat(l.HTTP, l.GRPC, l.Internal) {
			err = errors.Join(err, one.Close())
		}
		return err
	}
	s.ready.begun.Store(true)
	if len(s.cfg.Schedulers) == 0 {
		s.log.InfoContext(ctx, "No scheduler host addresses provided. Scheduler disabled")
		s.ready.hosts.Store(true)
	} else {
		g.Go(func() error { return s.watchHosts(ctx) })
	}
	for _, a := range s.cfg.Apps {
		g.Go(func() error { return s.serveApp(ctx, a) })
	}
	if len(l.Internal) > 0 {
		g.Go(func() error { return s.serveInternal(ctx, l.Internal) })
	}
	g.Go(func() error { return s.serveHTTP(ctx, s.log, l.HTTP, s.httpAPI()) })
	g.Go(func() error { return s.serveGRPC(ctx, l.GRPC) })
	return nil
}

// outlast returns a context that ends when ctx has ended, and then BlockShutdown has passed or all apps have turned
// unhealthy; or when stop is called, which is to be done in the end.
func (s *Sidecar) outlast(ctx context.Context) (lasting context.Context, stop func()) {
	if s.cfg.BlockShutdown <= 0 {
		return context.WithCancel(ctx)
	}
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer end()
		select {
		case <-ctx.Done():
		case <-lasting.Done():
			return
		}
		s.log.InfoContext(lasting, "blocking shutdown for a while, or until all apps are unhealthy",
			slog.Duration("duration", s.cfg.BlockShutdown))
		blocking, cancel := context.WithTimeout(lasting, s.cfg.BlockShutdown)
		defer cancel()
		s.vitals.awaitSickness(blocking)
	})
	return lasting, func() {
		end()
		waiting.Wait()
	}
}

// A gate counts who is inside, so that closing it can wait for them.
type gate struct {
	mu     sync.RWMutex // read-locked by everybody inside
	closed bool
}

// enter reports whether the gate is open; leave is to be called then.
func (g *gate) enter() bool {
	g.mu.RLock()
	if g.closed {
		g.mu.RUnlock()
		return false
	}
	return true
}

func (g *gate) leave() { g.mu.RUnlock() }

// close lets nobody in any more, and returns when everybody has left.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}
