package apiserver

import (
	"context"
	"log/slog"
	"net/http"

	"golang.org/x/sync/errgroup"

	"carillon/internal/crossorigin"
	"carillon/internal/limits"
	"carillon/internal/sidecar/schedulerclient"
)

// A Server serves the jobs API.
type Server struct {
	cfg       Config
	log       *slog.Logger
	readiness *Readiness
	auth      *authenticator
	warner    *warner
	shutdowns shutdownRequests
	metrics   apiMetrics
	http      *httpAPI
	grpc      *grpcServer
}

// New returns a server that does nothing until it serves.
func New(
	cfg Config, schedulers *schedulerclient.Client, readiness *Readiness, log *slog.Logger,
) *Server {
	s := &Server{
		cfg: cfg, log: log, readiness: readiness,
		auth:   newAuthenticator(cfg.APIToken, crossorigin.NewUnlessToken(cfg.Hosts, "DAPR_API_TOKEN"), log),
		warner: newWarner(log), shutdowns: newShutdownRequests(),
		metrics: newAPIMetrics(cfg.Metrics, cfg.DefaultApp),
	}
	calls := &callLimit{bytes: limits.NewBudget(cfg.MaxCallBytes), maxBody: cfg.MaxBody}
	targets := targetResolver{
		namespace: cfg.Namespace, defaultApp: cfg.DefaultApp, anyApp: cfg.AnyApp,
	}
	jobs := newJobService(cfg, schedulers, calls, s.warner)
	metadata := newMetadataService(cfg, schedulers)
	s.http = &httpAPI{
		auth: s.auth, targets: targets, jobs: jobs, metadata: metadata, shutdowns: s.shutdowns,
		readiness: readiness, check: cfg.Check, calls: calls,
		bodies: bodyReader{calls: calls, limit: cfg.MaxBody},
	}
	s.grpc = &grpcServer{
		api: grpcAPI{
			targets: targets, jobs: jobs, metadata: metadata, shutdowns: s.shutdowns,
			maxBody: cfg.MaxBody,
		},
		auth: s.auth, calls: calls, metrics: s.metrics.grpc,
		maxHeader: cfg.MaxHeader, noPings: cfg.NoPings, log: log,
	}
	if cfg.LogCalls {
		s.grpc.calllog = &callLogger{log}
	}
	return s
}

// Serve serves all but the public listeners until ctx ends or a listener fails. When it returns,
// all calls have ended.
func (s *Server) Serve(ctx context.Context, l Listeners) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		s.shutdowns.pass(ctx, s.cfg.Shutdown, s.log)
		return nil
	})
	if len(l.Internal) > 0 {
		g.Go(func() error { return serveInternal(ctx, l.Internal, s.log) })
	}
	g.Go(func() error { return s.httpServer(s.log).serve(ctx, l.HTTP, s.httpHandler()) })
	g.Go(func() error { return s.grpc.serve(ctx, l.GRPC, s.readiness.setGRPC) })
	return g.Wait()
}

// ServePublic serves the public listeners until ctx ends or one fails.
func (s *Server) ServePublic(ctx context.Context, l Listeners) error {
	server := s.httpServer(s.log.With(slog.String("api", "public")))
	return server.serve(ctx, l.Public, s.http.handlePublic)
}

// Close logs what the limits of the log have held back. It is called after all serving has ended.
func (s *Server) Close(ctx context.Context) {
	s.auth.close(ctx)
	s.warner.close(ctx)
}

func (s *Server) httpServer(log *slog.Logger) httpServer {
	return httpServer{maxHeader: s.cfg.MaxHeader, noHTTP2: s.cfg.NoHTTP2, log: log}
}

// httpHandler returns the handler of the HTTP API, with metrics and the log of calls.
func (s *Server) httpHandler() http.HandlerFunc {
	counted := s.metrics.count(http.HandlerFunc(s.http.handle)).ServeHTTP
	if s.cfg.LogCalls {
		return callLogger{s.log}.logHTTP(counted)
	}
	return counted
}
