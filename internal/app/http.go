package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"carillon/internal/crossorigin"
)

// serveHTTP returns a component that serves h on l, to requests for one of the hosts. When it is stopped, it
// closes all connections without waiting for requests in progress: health and metrics can be read again.
// Name is what h serves, for errors.
func serveHTTP(name string, h http.Handler, l net.Listener, hosts crossorigin.Hosts, log *slog.Logger) component {
	return func(ctx context.Context) error {
		srv := &http.Server{
			Handler:           crossorigin.New(hosts).Handler(h),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			MaxHeaderBytes:    16 << 10,
			WriteTimeout:      time.Minute,
			IdleTimeout:       2 * time.Minute,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		}
		defer context.AfterFunc(ctx, func() { srv.Close() })()
		if err := srv.Serve(l); ctx.Err() == nil {
			return fmt.Errorf("serve %s on %s: %w", name, l.Addr(), err)
		}
		return nil
	}
}
