package peerv1

import (
	"context"
	"crypto/subtle"

	"google.golang.org/grpc/metadata"
)

// secretKey is the key of the called node's secret in a call's metadata.
const secretKey = "carillon-peer-secret"

// WithSecret returns a context of calls to the node that has this secret.
func WithSecret(ctx context.Context, secret string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, secretKey, secret)
}

// HasSecret reports whether the caller of ctx has shown the secret of this node. An empty secret
// never matches. It takes as long for a wrong one as for the right one.
func HasSecret(ctx context.Context, own string) bool {
	shown := metadata.ValueFromIncomingContext(ctx, secretKey)
	return own != "" && len(shown) == 1 && subtle.ConstantTimeCompare([]byte(shown[0]), []byte(own)) == 1
}
