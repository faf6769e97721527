package management

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"google.golang.org/grpc"

	"carillon/internal/crossorigin"
	pb "carillon/internal/managementv1"
)

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
	protocols.SetUnencryptedHTTP2(s.cfg.Certificate == nil)
	srv := &http.Server{
		Handler: handler, Protocols: protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	serve := srv.Serve
	if s.cfg.Certificate != nil {
		srv.TLSConfig = s.cfg.Certificate.config(s.log)                       //nolint:contextcheck // a handshake has its own
		serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") } // the files are those of TLSConfig
	}
	served := make(chan error, 1)
	go func() { served <- serve(l) }()
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
