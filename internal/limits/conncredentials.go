package limits

import (
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// connCredentials are server credentials that add the connection to its [credentials.AuthInfo], by
// which [Throttle] finds the connection of a call.
type connCredentials struct {
	credentials.TransportCredentials
}

// newConnCredentials wraps c; nil stands for connections without TLS.
func newConnCredentials(c credentials.TransportCredentials) connCredentials {
	if c == nil {
		c = insecure.NewCredentials()
	}
	return connCredentials{c}
}

// ServerHandshake implements [credentials.TransportCredentials]. c is from a throttledListener.
func (t connCredentials) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := t.TransportCredentials.ServerHandshake(c)
	if throttled, ok := c.(*throttledConn); ok && err == nil {
		info = connAuthInfo{info, throttled}
	}
	return secured, info, err
}

// Clone implements [credentials.TransportCredentials].
func (t connCredentials) Clone() credentials.TransportCredentials {
	return connCredentials{t.TransportCredentials.Clone()}
}

// A connAuthInfo is what a handshake found, with the connection.
type connAuthInfo struct {
	credentials.AuthInfo
	conn *throttledConn
}

// Unwrap returns what the handshake found, such as a [credentials.TLSInfo].
func (a connAuthInfo) Unwrap() credentials.AuthInfo { return a.AuthInfo }
