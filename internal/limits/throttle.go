package limits

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// Refusals use the processor, too. Each refused call therefore delays reads from its connection by
// delayPerRefusal, up to maxDelay in all. A client that floods the server slows down itself alone.
const delayPerRefusal = 5 * time.Millisecond

// Throttle delays reads from the connection of a call because so many of its calls were refused. A
// server of [Calls] does so itself for each call that ends with a status of [throttleRefused].
func Throttle(ctx context.Context, refusals int) {
	if p, ok := peer.FromContext(ctx); ok {
		if a, ok := p.AuthInfo.(connAuthInfo); ok {
			a.conn.throttle(time.Duration(refusals) * delayPerRefusal)
		}
	}
}

// tooLarge is how the error of grpc-go for a message beyond the size limit begins. The message is
// received and discarded all the same, so that it counts as tooLargeRefusals.
const (
	tooLarge         = "grpc: received message larger than max"
	tooLargeRefusals = 20
)

// throttleRefused throttles the connection of a call whose error is ResourceExhausted,
// PermissionDenied or Unauthenticated.
func throttleRefused(ctx context.Context, err error) {
	if err == nil {
		return
	}
	switch s := status.Convert(err); s.Code() {
	case codes.ResourceExhausted:
		if strings.HasPrefix(s.Message(), tooLarge) {
			Throttle(ctx, tooLargeRefusals)
			return
		}
		Throttle(ctx, 1)
	case codes.PermissionDenied, codes.Unauthenticated:
		Throttle(ctx, 1)
	default:
	}
}
