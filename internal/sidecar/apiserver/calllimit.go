package apiserver

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

// maxCalls is the most API calls in flight, over HTTP and gRPC together. A call beyond it is
// refused at once: one that waited would hold as much memory. Health and shutdown are not counted.
const maxCalls = 4096

// DefaultMaxCallBodies is how many bodies of the largest size fit in the default of
// Config.MaxCallBytes in a sidecar.
const DefaultMaxCallBodies = 64

// A callLimit limits the API calls in flight, and the bytes of their bodies. It is safe for
// concurrent use.
type callLimit struct {
	bytes   *limits.Budget
	maxBody int64 // reserved for the response of a list over gRPC

	mu    sync.Mutex // guards the field below
	count int
}

// begin reports whether one more call may begin; it then must call end.
func (l *callLimit) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == maxCalls {
		return false
	}
	l.count++
	return true
}

func (l *callLimit) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count--
}

// reserve reports whether so many bytes are free; the caller then must release them.
// Large bodies leave memory for small ones.
func (l *callLimit) reserve(bytes int64) bool {
	limit := l.bytes.Max()
	if bytes > limits.SmallMessage {
		limit = l.bytes.Large()
	}
	return l.bytes.TryAcquireWithin(bytes, limit)
}

func (l *callLimit) release(bytes int64) { l.bytes.Release(bytes) }

// tooMany returns the error of a call beyond the limit.
func (l *callLimit) tooMany(target job.Target) *wire.APIError {
	return wire.NewAPIError(wire.ReasonTooManyCalls, target, fmt.Sprintf(
		"the sidecar has as many API calls in flight as it accepts, %d with %d bytes in all: try again when some have ended",
		maxCalls, l.bytes.Max()))
}

// limitUnary is an interceptor that applies the limit to gRPC calls. The bytes of a message are
// counted while it arrives.
func (l *callLimit) limitUnary(
	ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler,
) (any, error) {
	if _, ok := req.(*runtimev1.ShutdownRequest); ok {
		return next(ctx, req)
	}
	if !l.begin() {
		return nil, l.tooMany(job.Target{})
	}
	defer l.end()
	switch req.(type) {
	case *runtimev1.ListJobsRequest, *runtimev1.ListJobsRequestAlpha1: // the response takes the memory
		if !l.reserve(l.maxBody) {
			return nil, l.tooMany(job.Target{})
		}
		defer l.release(l.maxBody)
	}
	return next(ctx, req)
}

// A reservation is the bytes that one call has reserved. One goroutine uses it. It starts empty.
type reservation struct {
	limit *callLimit
	bytes int64
}

// reserve reports whether so many more bytes are free. It is a [jsonvalue.Reserve].
func (r *reservation) reserve(bytes int) bool {
	if !r.limit.reserve(int64(bytes)) {
		return false
	}
	r.bytes += int64(bytes)
	return true
}

// resize changes the reservation to so many bytes, and reports whether it could. It always
// can for fewer.
func (r *reservation) resize(bytes int64) bool {
	if bytes > r.bytes {
		return r.reserve(int(bytes - r.bytes))
	}
	r.limit.release(r.bytes - bytes)
	r.bytes = bytes
	return true
}

// release gives everything back. A nil reservation is empty.
func (r *reservation) release() {
	if r != nil {
		r.resize(0)
	}
}

// extMemory returns about how many bytes an ext takes, which may be nil.
func extMemory(e *job.Ext) int {
	if e == nil {
		return 0
	}
	const label = 64 // in a map, without its texts
	return e.Size() + label*len(e.Labels)
}

// parseJob parses the body of a job. It adds to r what parsing needs; afterwards twice the size of
// the job's data and its ext remains reserved, because the job is encoded for the scheduler.
func (r *reservation) parseJob(
	target job.Target, body []byte,
) (*runtimev1.ScheduleJobRequest, wire.Body, *wire.APIError) {
	before := r.bytes
	req, b, err := wire.ParseAPIBody(body, r.reserve)
	if err == nil && !r.resize(before+2*int64(len(req.GetJob().GetData().GetValue())+extMemory(b.Ext))) {
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
	if invalid, ok := errors.AsType[*job.InvalidError](err); ok {
		return nil, wire.Body{}, wire.InvalidExt(target, invalid)
	}
	return nil, wire.Body{}, wire.Malformed(target, err, body)
}
