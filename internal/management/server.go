package management

import (
	"context"
	"log/slog"
	"time"

	"carillon/internal/crossorigin"
	"carillon/internal/engine"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

// Bounds of the server.
const (
	maxCalls     = 32 // at once, over all connections
	callTimeout  = 30 * time.Second
	maxRequest   = 64 << 10 // bytes
	maxHeader    = 16 << 10 // bytes
	maxStreams   = 100      // of one connection of HTTP/2
	gracePeriod  = 3 * time.Second
	readTimeout  = 10 * time.Second
	writeTimeout = time.Minute
	idleTimeout  = 2 * time.Minute
)

// A JobReader reads jobs where they are stored.
type JobReader interface {
	ViewPage(ctx context.Context, q engine.ViewQuery) (engine.ViewPage, error)
	Views(ctx context.Context, keys []job.Key) ([]engine.JobView, error)
	Targets(ctx context.Context, s job.Selector, after job.Target, limit int) (targets []job.Target, more bool, err error)
	ViewDue(ctx context.Context, q engine.DueQuery, found func([]engine.JobView) error) (engine.DueScan, error)
}

// A Config configures a [Server].
type Config struct {
	Jobs JobReader
	// Progress returns how far each of the jobs has got, which are due, and the names of nodes that
	// did not answer.
	Progress func(ctx context.Context, keys []job.Key) (all []engine.DueProgress, unreachable []string, err error)
	// Cluster asks the nodes.
	Cluster ClusterReader
	// Tokens are who may call; nil: everybody may do everything.
	Tokens *Tokens
	// Certificate is that of the server; nil: it serves plaintext.
	Certificate *Certificate
	// Hosts are the names of the server, for requests of browsers.
	Hosts crossorigin.Hosts
	// Now is the wall clock; nil means [time.Now].
	Now func() time.Time
}

// A Server serves the management API. It is safe for concurrent use.
type Server struct {
	pb.UnimplementedManagementServer

	cfg   Config
	log   *slog.Logger
	calls chan struct{} // a semaphore: holds a token for each call
}

// New returns a server.
func New(cfg Config, log *slog.Logger) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Server{cfg: cfg, log: log.With(slog.String("component", "management")), calls: make(chan struct{}, maxCalls)}
}
