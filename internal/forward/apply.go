package forward

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

// Apply carries out the commands of another node about jobs that this node owns, and refuses the
// others.
func (r *Router) Apply(ctx context.Context, m *peerv1.ApplyRequest) (*peerv1.ApplyResponse, error) {
	commands := m.GetCommands()
	if n := len(commands); n > maxCommands {
		return nil, status.Errorf(codes.ResourceExhausted, "a message has %d commands, and at most %d are accepted", n, maxCommands)
	}
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
	for n, err := range r.engine.ScheduleAll(ctx, requests) {
		errs[indices[n]] = err
	}
	answer := new(peerv1.ApplyResponse)
	for i, err := range errs {
		if err != nil {
			answer.Problems = append(answer.Problems, problem(ctx, r.log, i, err))
		}
	}
	return answer, nil
}
