package apiserver

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"carillon/internal/browser"
	"carillon/internal/limits"
	"carillon/internal/lograte"
	"carillon/internal/sidecar/schedulerclient"
)

// drainTimeout is how long calls in flight have to finish when the server stops.
const drainTimeout = 500 * time.Millisecond

// A Server serves the jobs API.
type Server struct {
	cfg        Config
	log        *slog.Logger
	schedulers *schedulerclient.Client
	readiness  *Readiness
	metrics    apiMetrics
	calls      callLimit
	listBytes  *semaphore.Weighted // what lists receive from schedulers
	metadata   metadataStore
	shutdowns  shutdownRequests
	warnings   *lograte.Line
	refusals   *lograte.Line  // of calls without the token
	browsers   *browser.Guard // of HTTP listeners that require no token
}

// New returns a server that does nothing until it serves.
func New(
	cfg Config, schedulers *schedulerclient.Client, readiness *Readiness, log *slog.Logger,
) *Server {
	s := &Server{
		cfg: cfg, log: log, schedulers: schedulers, readiness: readiness,
		metrics:   newAPIMetrics(cfg.Metrics, cfg.DefaultApp),
		calls:     callLimit{bytes: limits.NewBudget(cfg.MaxCallBytes)},
		listBytes: semaphore.NewWeighted(cfg.MaxCallBytes),
		shutdowns: newShutdownRequests(), browsers: browser.New(cfg.Hosts),
		warnings: newWarnings(log), refusals: newRefusals(log),
	}
	s.metadata.set("daprRuntimeVersion", cfg.Version)
	return s
}

// Serve serves all but the public listeners until ctx ends or a listener fails. When it returns,
// all calls have ended.
func (s *Server) Serve(ctx context.Context, l Listeners) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		s.passShutdowns(ctx)
		return nil
	})
	if len(l.Internal) > 0 {
		g.Go(func() error { return s.serveInternal(ctx, l.Internal) })
	}
	g.Go(func() error { return s.serveHTTP(ctx, s.log, l.HTTP, s.httpHandler()) })
	g.Go(func() error { return s.serveGRPC(ctx, l.GRPC) })
	return g.Wait()
}

// ServePublic serves the public listeners until ctx ends or one fails.
func (s *Server) ServePublic(ctx context.Context, l Listeners) error {
	return s.serveHTTP(ctx, s.log.With(slog.String("api", "public")), l.Public, s.handlePublic)
}

// Close logs what the limits of the log have held back. It is called after all serving has ended.
func (s *Server) Close(ctx context.Context) {
	s.refusals.Close(ctx)
	s.warnings.Close(ctx)
}
