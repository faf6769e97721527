package appclient

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"carillon/internal/pause"
	"carillon/internal/sidecar/daprlog"
)

// WaitListening returns when the app accepts a connection, and reports whether it did before ctx
// ended. It sends no request: the app may not serve yet.
func WaitListening(ctx context.Context, app Config, o Options, log *slog.Logger) bool {
	line := "application protocol: %s. waiting on port %s.  This will block until the app is listening on that port."
	address, port := slog.String("address", app.Address), daprlog.Port(app.Address)
	daprlog.Info(ctx, log, fmt.Sprintf(line, app.Protocol, port), address)
	for !isListening(ctx, app, o) {
		if !pause.For(ctx, 100*time.Millisecond) {
			return false
		}
	}
	daprlog.Info(ctx, log, "application discovered on port "+port, address)
	return true
}

func isListening(ctx context.Context, app Config, o Options) bool {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	conn, err := o.Dial(ctx, app.Address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	return !app.isTLS() || tls.Client(conn, app.tlsConfig()).HandshakeContext(ctx) == nil
}
