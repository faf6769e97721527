package appclient

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"
)

// frameCredentials wrap each gRPC connection in a frameConn.
type frameCredentials struct {
	credentials.TransportCredentials
}

// A frameAuthInfo gives a call access to its frameConn, by way of its peer.
type frameAuthInfo struct {
	credentials.AuthInfo
	conn *frameConn
}

// ClientHandshake implements [credentials.TransportCredentials].
func (c frameCredentials) ClientHandshake(
	ctx context.Context, authority string, raw net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	secure, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		return nil, nil, err
	}
	conn := &frameConn{Conn: secure}
	return conn, frameAuthInfo{info, conn}, nil
}

// Clone implements [credentials.TransportCredentials].
func (c frameCredentials) Clone() credentials.TransportCredentials {
	return frameCredentials{c.TransportCredentials.Clone()}
}
