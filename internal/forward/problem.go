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

// fromProblems returns the errors of the n commands that m answers.
func fromProblems(m *peerv1.ApplyResponse, n int) ([]error, error) {
	errs := make([]error, n)
	next := 0
	for _, p := range m.GetProblems() {
		i := int(p.GetIndex())
		if i < next || i >= n {
			return nil, fmt.Errorf("its answer names command %d, and the call has %d: %w", i, n, job.ErrUnavailable)
		}
		errs[i], next = fromProblem(p), i+1
	}
	return errs, nil
}

// errOwnerFull is the error of a job whose owner, another node, is full.
var errOwnerFull = &job.FullError{Reason: "the node that owns the job has no room for new ones; its health and its log say how much is left, and how much is needed"}

// fromProblem is the inverse of problem.
func fromProblem(p *peerv1.Problem) error {
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

var errInternal = errors.New("internal error of that node: see its log")
