package wire

import (
	"context"
	"strings"

	"google.golang.org/grpc/metadata"
)

// UserAgent is how our sidecar names itself to a scheduler. gRPC adds its own name.
const UserAgent = "carillon-sidecar"

// IsFromSidecar reports whether a call that a scheduler serves says that our sidecar makes it. Any client can say so:
// nothing but what is logged may depend on it.
func IsFromSidecar(ctx context.Context) bool {
	agent := metadata.ValueFromIncomingContext(ctx, "user-agent")
	return len(agent) > 0 && strings.HasPrefix(agent[0], UserAgent+" ")
}
