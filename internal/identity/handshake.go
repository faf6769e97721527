package identity

import (
	"errors"
	"io"
	"log/slog"
	"net"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/credentials"
)

// logged are a server's credentials that say, once a minute, who was not let in and why: gRPC tells nobody, and the client
// often hears no more than that the connection is gone.
type loggingCredentials struct {
	credentials.TransportCredentials
	log   *slog.Logger
	limit rate.Sometimes
}

// ServerHandshake implements [credentials.TransportCredentials].
func (l *loggingCredentials) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, who, err := l.TransportCredentials.ServerHandshake(c)
	if err != nil && !errors.Is(err, io.EOF) { // who connects and says nothing may look whether we are there
		l.limit.Do(func() {
			l.log.Warn("a client is not let in: it has no certificate that is valid here, or does not speak TLS",
				slog.String("client", c.RemoteAddr().String()), slog.Any("err", err))
		})
	}
	return secured, who, err
}
