package wire

import (
	"context"
	"strings"

	"google.golang.org/grpc/metadata"
)

// UserAgent is the user agent of our sidecar in calls to a scheduler. gRPC appends its own.
const UserAgent = "carillon-sidecar"

// IsFromSidecar reports whether an incoming call has the user agent of our sidecar. Any client can
// send it: only logging may depend on it.
func IsFromSidecar(ctx context.Context) bool {
	agent := metadata.ValueFromIncomingContext(ctx, "user-agent")
	return len(agent) > 0 && strings.HasPrefix(agent[0], UserAgent+" ")
}
