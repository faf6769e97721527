// Package daprlog logs lines in daprd's words. People and scripts search for them, so the whole
// text, figures included, is the message of the line (sidecar specification §5.6).
package daprlog

import (
	"context"
	"log/slog"
	"net"
)

// Info logs a line of Dapr's.
func Info(ctx context.Context, log *slog.Logger, line string, attrs ...slog.Attr) {
	log.LogAttrs(ctx, slog.LevelInfo, line, attrs...) //nolint:sloglint // the line is not ours to choose
}

// Port returns the port of an address, or the address if it has none, such as a socket's path.
func Port(address string) string {
	if _, port, err := net.SplitHostPort(address); err == nil {
		return port
	}
	return address
}
