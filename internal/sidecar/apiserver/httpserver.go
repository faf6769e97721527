package apiserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"carillon/internal/sidecar/daprlog"
)

// An httpServer serves HTTP on listeners.
type httpServer struct {
	maxHeader int
	noHTTP2   bool
	log       *slog.Logger
}

// serve serves until ctx ends or a listener fails. It returns when the last request has ended.
func (s httpServer) serve(
	ctx context.Context, listeners []net.Listener, handle http.HandlerFunc,
) error {
	var handlers handlerDrain
	requests, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !handlers.begin() {
				panic(http.ErrAbortHandler) // its connection is closed by now
			}
			defer handlers.end()
			handle(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       -1, // none: clients keep connections as long as they like
		MaxHeaderBytes:    s.maxHeader,
		Protocols:         new(http.Protocols),

		DisableGeneralOptionsHandler: true, // OPTIONS * is not a route

		BaseContext: func(net.Listener) context.Context { return requests },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // errors of clients
	}
	server.Protocols.SetHTTP1(true)
	// With prior knowledge only; an upgrade is answered over HTTP/1.1.
	server.Protocols.SetUnencryptedHTTP2(!s.noHTTP2)

	g, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		address := l.Addr().String()
		line := "HTTP server is running on port " + daprlog.Port(address)
		daprlog.Info(ctx, s.log, line, slog.String("address", address))
		g.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	g.Go(func() error {
		<-ctx.Done()
		// Requests may finish; then the rest are canceled, and may respond; then connections close.
		if shutdown(ctx, server, drainTimeout) != nil {
			abort()
			if shutdown(ctx, server, drainTimeout/10) != nil {
				_ = server.Close()
			}
		}
		handlers.close()
		return nil
	})
	return g.Wait()
}

func shutdown(ctx context.Context, server *http.Server, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	return server.Shutdown(ctx)
}
