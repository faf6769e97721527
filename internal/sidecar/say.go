package sidecar

import (
	"context"
	"log/slog"
	"net"
)

// say logs a line in Dapr's words, figures and all, because people and scripts look for it (sidecar specification §5.6).
func say(ctx context.Context, log *slog.Logger, line string, attrs ...slog.Attr) {
	log.LogAttrs(ctx, slog.LevelInfo, line, attrs...) //nolint:sloglint // the line is not ours to choose
}

// port returns the port of an address, or the address if it has none, as that of a socket.
func port(address string) string {
	if _, port, err := net.SplitHostPort(address); err == nil {
		return port
	}
	return address
}
