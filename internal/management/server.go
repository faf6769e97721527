package management

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"

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
}

// A Config configures a [Server].
type Config struct {
	Jobs JobReader
	// Progress returns how far each of the jobs has got, which are due, and the names of nodes that
	// did not answer.
	Progress func(ctx context.Context, keys []job.Key) (all []engine.DueProgress, unreachable []string, err error)
	// Tokens are who may call; nil: everybody may do everything.
	Tokens *Tokens
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

// Run serves on l until ctx ends, and closes l. It returns nil if ctx ended it. It may run for
// several listeners.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	handler, err := s.handler(ctx)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{
		Handler: handler, Protocols: protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve the management API on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), gracePeriod)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		_ = srv.Close() // calls are cut off
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the management API on %s: %w", l.Addr(), err)
	}
	return nil
}

// handler returns the handler of all requests.
func (s *Server) handler(ctx context.Context) (http.Handler, error) {
	rpc := grpc.NewServer(grpc.UnaryInterceptor(s.intercept), grpc.MaxRecvMsgSize(maxRequest))
	pb.RegisterManagementServer(rpc, s)
	gateway, err := newGateway(ctx, inlineConn{&pb.Management_ServiceDesc, s, s.intercept})
	if err != nil {
		return nil, err
	}
	protection := crossorigin.New(s.cfg.Hosts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := protection.Refuse(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		a := admission{from: r.RemoteAddr}
		a.caller, a.err = s.cfg.Tokens.admit(r.Context(), r.Header.Get("Authorization"), s.log)
		r = r.WithContext(admittedAs(r.Context(), a))
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		if isGRPC(r) {
			rpc.ServeHTTP(w, r)
			return
		}
		gateway.ServeHTTP(w, r)
	}), nil
}

// contain calls f and returns its error, or its panic as an error.
func contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}
