package sidecar

import (
	"context"
	"errors"
	"fmt"
	"sync"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	"carillon/internal/jsonvalue"
	"carillon/internal/limits"
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
	bytes *limits.Budget

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
	if bytes > limits.SmallMessage {
		limit = c.bytes.Large()
	}
	return c.bytes.TryAcquireWithin(bytes, limit)
}

func (c *calls) release(bytes int64) { c.bytes.Release(bytes) }

// A reservation is what one call has reserved. It belongs to one goroutine; the zero value of bytes has nothing.
type reservation struct {
	of    *calls
	bytes int64
}

// take reports whether there is room for that many bytes more. It is a [jsonvalue.Reserve].
func (r *reservation) take(bytes int) bool {
	if !r.of.reserve(int64(bytes)) {
		return false
	}
	r.bytes += int64(bytes)
	return true
}

// resize has it be of that many bytes, and reports whether there was room; there always is for fewer.
func (r *reservation) resize(bytes int64) bool {
	if bytes > r.bytes {
		return r.take(int(bytes - r.bytes))
	}
	r.of.release(r.bytes - bytes)
	r.bytes = bytes
	return true
}

// end gives everything back. A nil reservation has nothing.
func (r *reservation) end() {
	if r != nil {
		r.resize(0)
	}
}

// parse reads the body of a job. Beside r it holds what the body takes, and, once that is read, twice what the job takes:
// it is encoded for the scheduler.
func (r *reservation) parse(target job.Target, body []byte) (*runtimev1.ScheduleJobRequest, wire.Body, *wire.APIError) {
	before := r.bytes
	req, b, err := wire.ParseAPIBody(body, r.take)
	if err == nil && !r.resize(before+2*int64(len(req.GetJob().GetData().GetValue()))) {
		err = jsonvalue.ErrNoMemory
	}
	if err == nil {
		return req, b, nil
	}
	r.resize(before)
	switch {
	case errors.Is(err, jsonvalue.ErrNoMemory):
		return nil, wire.Body{}, wire.NewAPIError(wire.ReasonTooManyCalls, target, err.Error())
	case errors.Is(err, jsonvalue.ErrTooLarge):
		return nil, wire.Body{}, wire.ScheduleFailed(target, status.Error(codes.ResourceExhausted, err.Error()))
	}
	return nil, wire.Body{}, wire.Malformed(target, err, body)
}

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
