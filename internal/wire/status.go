package wire

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/brief"
	"carillon/internal/job"
)

// full begins as the text does by which users of Dapr know a full store (scheduler specification §1.4).
const full = "etcdserver: mvcc: database space exceeded: "

// Status returns err as the Scheduler service reports it to a client; nil stays nil. Errors that users can mend keep
// their text, if it is not too long. An Unavailable or Internal one has a fixed text, so that no detail of ours leaks: the
// caller logs err.
//
// No status has details: daprd adds its own to what it gets (scheduler specification, section 1).
//
// What is wrong with a job is Unknown, not InvalidArgument, because sidecars turn the two into different answers to
// their apps (scheduler specification §1.3).
func Status(err error) error {
	type withStatus interface {
		error
		GRPCStatus() *status.Status
	}
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(err, job.ErrFull):
		reason := "the scheduler's disk is full, make room there"
		if e, ok := errors.AsType[*job.FullError](err); ok {
			reason = e.Reason
		}
		return status.Error(codes.Unknown, full+reason)
	case errors.Is(err, job.ErrUnavailable): // it may wrap a status or a context's error: those were not the client's
		return status.Error(codes.Unavailable, "the scheduler cannot carry this out now: try again")
	}
	if e, ok := errors.AsType[withStatus](err); ok && e.GRPCStatus().Code() != codes.OK {
		st := e.GRPCStatus()
		if len(st.Message()) <= brief.Max {
			return st.Err()
		}
		short := st.Proto()
		short.Message = brief.Text(short.GetMessage())
		return status.ErrorProto(short)
	}
	if e, ok := errors.AsType[*job.InvalidError](err); ok {
		return status.Error(codes.Unknown, brief.Text(e.Error()))
	}
	if e, ok := errors.AsType[*job.TooLargeError](err); ok {
		return status.Error(codes.ResourceExhausted, e.Error())
	}
	switch {
	case errors.Is(err, job.ErrExists):
		return status.Error(codes.AlreadyExists, brief.Text(err.Error()))
	case errors.Is(err, job.ErrNotFound):
		return status.Error(codes.NotFound, brief.Text(err.Error()))
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, context.Canceled.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, context.DeadlineExceeded.Error())
	default:
		return status.Error(codes.Internal, "internal error of the scheduler: its log says more")
	}
}
