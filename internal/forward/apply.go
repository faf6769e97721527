package forward

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/batchstream"
	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

// Apply carries out the commands of another node's stream, until the stream or closing ends. spawn
// and contain are Go and Contain of [batchstream.ServerConfig].
func (r *Router) Apply(
	closing context.Context, stream peerv1.Peer_ApplyServer, spawn func(func()), contain func(func() error) error,
) error {
	return batchstream.Serve(closing, stream, batchstream.ServerConfig[peerv1.ApplyRequest, peerv1.ApplyResponse]{
		MaxInFlight: 2 * maxInFlight,
		Check: func(m *peerv1.ApplyRequest) error {
			if n := len(m.GetCommands()); n > maxCommands {
				return status.Errorf(codes.InvalidArgument, "a message has %d commands, and at most %d are accepted", n, maxCommands)
			}
			return nil
		},
		Begin: r.begin, Go: spawn, Contain: contain,
	})
}

// begin begins the commands of m about jobs that this node owns, and refuses the others.
func (r *Router) begin(ctx context.Context, m *peerv1.ApplyRequest) (answer func(ctx context.Context) *peerv1.ApplyResponse) {
	commands := m.GetCommands()
	errs := make([]error, len(commands))
	requests, indices := make([]job.Request, 0, len(commands)), make([]int, 0, len(commands))
	r.mu.Lock()
	owners := r.owners
	r.mu.Unlock()
	for i, c := range commands {
		q, err := record.DecodeRequest(c.GetKey(), c.GetSpec())
		switch {
		case err != nil:
			errs[i] = err
		case len(owners) == 0 || owners[r.engine.Partition(q.Key)] != r.config.ID:
			errs[i] = engine.ErrNotOwner
		default:
			q.Overwrite = c.GetOverwrite()
			requests, indices = append(requests, q), append(indices, i)
		}
	}
	results := r.engine.ScheduleAll(ctx, requests)
	return func(ctx context.Context) *peerv1.ApplyResponse {
		for n, err := range results(ctx) {
			errs[indices[n]] = err
		}
		resp := new(peerv1.ApplyResponse)
		for i, err := range errs {
			if err != nil {
				resp.Problems = append(resp.Problems, r.problem(ctx, i, err))
			}
		}
		return resp
	}
}
