package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

// problem converts err for the node that sent the command. It logs errors whose details that node
// does not get.
func problem(ctx context.Context, log *slog.Logger, index int, err error) *peerv1.Problem {
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
		log.LogAttrs(ctx, slog.LevelError, "another node's call failed", slog.Any("err", err))
	}
	return p
}

// fromProblems returns the errors of the n commands that the node with this id answers in m.
func fromProblems(node string, m *peerv1.ApplyResponse, n int) ([]error, error) {
	errs := make([]error, n)
	next := 0
	for _, p := range m.GetProblems() {
		i := int(p.GetIndex())
		if i < next || i >= n {
			return nil, fmt.Errorf("its answer names command %d, and the call has %d: %w", i, n, job.ErrUnavailable)
		}
		errs[i], next = fromProblem(node, p), i+1
	}
	return errs, nil
}

// fromProblem is the inverse of problem, for a problem of the node with this id.
func fromProblem(node string, p *peerv1.Problem) error {
	switch p.GetKind() {
	case peerv1.Problem_NOT_OWNER:
		return engine.ErrNotOwner
	case peerv1.Problem_EXISTS:
		return job.ErrExists
	case peerv1.Problem_FULL:
		return &job.FullError{Reason: fmt.Sprintf("the store of node %s, which owns the job, is full: "+
			"free space there, or delete jobs; its log and GET /healthz on it say how much is left", node)}
	case peerv1.Problem_TOO_LARGE:
		return &job.TooLargeError{Size: int(p.GetSize()), Limit: int(p.GetLimit())}
	case peerv1.Problem_UNAVAILABLE:
		return job.ErrUnavailable
	default:
		return errInternal
	}
}

var errInternal = errors.New("internal error of that node: see its log")
