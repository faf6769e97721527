package sidecar

import (
	"context"
	"fmt"
	"sync"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc"

	"carillon/internal/bound"
	"carillon/internal/job"
	"carillon/internal/wire"
)

// The bounds of API calls in work, over HTTP and gRPC together. Beyond them a call is refused at once: callers that
// waited here would be as many, and would hold as much. Health and shutdown are always answered.
const (
	maxCalls      = 4096
	maxCallBodies = 64 // of the largest size, unless Config.MaxCallBytes says otherwise
)

// maxOpen is how many gRPC calls are open, those included whose client has not said yet what it asks.
const maxOpen = 2 * maxCalls

// maxStreams is how many calls one gRPC connection has in work. Clients hold the rest back themselves.
const maxStreams = 1000

// calls counts the API calls in work, and the bytes of their bodies. It is safe for concurrent use.
type calls struct {
	bytes *bound.Budget

	mu     sync.Mutex // guards the field below
	number int
}

// enter reports whether there is room for one more call; leave is to be called then.
func (c *calls) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.number == maxCalls {
		return false
	}
	c.number++
	return true
}

func (c *calls) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number--
}

// reserve reports whether there is room for that many bytes more; release is to be called then.
// Large bodies leave room for small ones.
func (c *calls) reserve(bytes int64) bool {
	limit := c.bytes.Max()
	if bytes > bound.SmallMessage {
		limit = c.bytes.Large()
	}
	return c.bytes.TakeWithin(bytes, limit)
}

func (c *calls) release(bytes int64) { c.bytes.Give(bytes) }

func (c *calls) tooMany(target job.Target) *wire.APIError {
	return wire.NewAPIError(wire.ReasonTooManyCalls, target, fmt.Sprintf(
		"the sidecar has as many calls in work as it takes, %d with %d bytes in all: try again when some have ended",
		maxCalls, c.bytes.Max()))
}

// boundUnary keeps gRPC calls within the bounds of calls in work. The bytes of a message are counted as it comes.
func (s *Sidecar) boundUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if _, ok := req.(*runtimev1.ShutdownRequest); ok {
		return next(ctx, req)
	}
	if !s.calls.enter() {
		return nil, s.calls.tooMany(job.Target{})
	}
	defer s.calls.leave()
	switch req.(type) {
	case *runtimev1.ListJobsRequest, *runtimev1.ListJobsRequestAlpha1: // its answer is what takes memory
		if !s.calls.reserve(s.cfg.MaxBody) {
			return nil, s.calls.tooMany(job.Target{})
		}
		defer s.calls.release(s.cfg.MaxBody)
	}
	return next(ctx, req)
}
