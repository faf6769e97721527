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

// serveHTTP returns the stage that serves h on l, which is called by these hosts. When it is stopped, it cuts off what is
// under way: health and metrics are not worth waiting for.
func serveHTTP(what string, h http.Handler, l net.Listener, hosts crossorigin.Hosts, log *slog.Logger) stage {
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
			return fmt.Errorf("serve %s on %s: %w", what, l.Addr(), err)
		}
		return nil
	}
}
