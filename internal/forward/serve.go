package forward

import (
	"context"
	"errors"
	"log/slog"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/batchstream"
	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

// Apply carries out what another node asks for over a stream, until that ends or closing does. spawn and contain are
// those of [batchstream.Service].
func (r *Router) Apply(
	closing context.Context, stream peerv1.Peer_ApplyServer, spawn func(func()), contain func(func() error) error,
) error {
	return batchstream.Serve(closing, stream, batchstream.Service[peerv1.ApplyRequest, peerv1.ApplyResponse]{
		Unanswered: 2 * maxUnanswered,
		Check: func(m *peerv1.ApplyRequest) error {
			if n := len(m.GetCommands()); n > maxCommands {
				return status.Errorf(codes.InvalidArgument, "a message has %d commands, and at most %d are taken", n, maxCommands)
			}
			return nil
		},
		Begin: r.begin, Go: spawn, Contain: contain,
	})
}

// begin has the node's engine carry out those commands of m that are about its own jobs.
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

// problem returns err as another node is told. What that node cannot be told is logged here.
func (r *Router) problem(ctx context.Context, index int, err error) *peerv1.Problem {
	p := &peerv1.Problem{Index: uint32(index)}
	var large *job.TooLargeError
	switch {
	case errors.Is(err, engine.ErrNotOwner):
		p.Kind = peerv1.Problem_NOT_OWNER
	case errors.Is(err, job.ErrExists):
		p.Kind = peerv1.Problem_EXISTS
	case errors.Is(err, job.ErrFull):
		p.Kind = peerv1.Problem_FULL
	case errors.As(err, &large):
		p.Kind, p.Size, p.Limit = peerv1.Problem_TOO_LARGE, uint64(large.Size), uint64(large.Limit)
	case errors.Is(err, job.ErrUnavailable), ctx.Err() != nil:
		p.Kind = peerv1.Problem_UNAVAILABLE
	default:
		r.log.LogAttrs(ctx, slog.LevelError, "another node's call failed", slog.Any("err", err))
	}
	return p
}

// pack returns the message that asks for commands.
func pack(commands []*peerv1.Command) *peerv1.ApplyRequest {
	return &peerv1.ApplyRequest{Commands: commands}
}

// unpack returns how the n commands of a message ended.
func unpack(m *peerv1.ApplyResponse, n int) ([]error, error) {
	errs := make([]error, n)
	next := 0
	for _, p := range m.GetProblems() {
		i := int(p.GetIndex())
		if i < next || i >= n {
			return nil, status.Error(codes.Internal, "another node answered what it was not asked")
		}
		errs[i], next = problem(p), i+1
	}
	return errs, nil
}

// errOwnerFull is what a caller hears of another node that has no room.
var errOwnerFull = &job.FullError{Reason: "the node that owns the job has no room for new ones; its health and its log say how much is left, and how much is needed"}

// problem is the inverse of [Router.problem].
func problem(p *peerv1.Problem) error {
	switch p.GetKind() {
	case peerv1.Problem_NOT_OWNER:
		return engine.ErrNotOwner
	case peerv1.Problem_EXISTS:
		return job.ErrExists
	case peerv1.Problem_FULL:
		return errOwnerFull
	case peerv1.Problem_TOO_LARGE:
		return &job.TooLargeError{Size: int(p.GetSize()), Limit: int(p.GetLimit())}
	case peerv1.Problem_UNAVAILABLE:
		return job.ErrUnavailable
	default:
		return errInternal
	}
}

var errInternal = errors.New("a mistake there: its log says more")
