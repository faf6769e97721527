package identity

import (
	"errors"
	"io"
	"log/slog"
	"net"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/credentials"
)

// loggingCredentials are the credentials of a server that log rejected handshakes, once a minute:
// gRPC does not report them, and the client often learns only that the connection was closed.
type loggingCredentials struct {
	credentials.TransportCredentials
	log   *slog.Logger
	limit rate.Sometimes
}

// ServerHandshake implements [credentials.TransportCredentials].
func (l *loggingCredentials) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, who, err := l.TransportCredentials.ServerHandshake(c)
	if err != nil && !errors.Is(err, io.EOF) { // a client that sends nothing may be a health check
		l.limit.Do(func() {
			l.log.Warn("rejected a client without a valid certificate, or without TLS",
				slog.String("client", c.RemoteAddr().String()), slog.Any("err", err))
		})
	}
	return secured, who, err
}
