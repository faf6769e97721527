package wire

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	"carillon/internal/truncate"
)

// full is the beginning of the error of a full store in Dapr (scheduler specification §1.4).
const full = "etcdserver: mvcc: database space exceeded: "

// Status converts err to the status of the Scheduler service; nil stays nil. Errors that users can
// fix keep their text, truncated if it is long. Unavailable and Internal ones have a fixed text, so
// that no internal detail leaks: the caller logs err.
//
// No status has details: daprd adds its own (scheduler specification, section 1).
//
// An invalid job is Unknown, not InvalidArgument, because sidecars of Dapr answer their apps
// differently for the two (scheduler specification §1.3).
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
		reason := "the scheduler's disk is full: free space there"
		if e, ok := errors.AsType[*job.FullError](err); ok {
			reason = e.Reason
		}
		return status.Error(codes.Unknown, full+reason)
	case errors.Is(err, job.ErrUnavailable):
		// Before the next cases, because it may wrap a status or the error of a context of ours.
		return status.Error(codes.Unavailable, "the scheduler cannot carry this out now: try again")
	}
	if e, ok := errors.AsType[withStatus](err); ok && e.GRPCStatus().Code() != codes.OK {
		st := e.GRPCStatus()
		if len(st.Message()) <= truncate.Max {
			return st.Err()
		}
		short := st.Proto()
		short.Message = truncate.Text(short.GetMessage())
		return status.ErrorProto(short)
	}
	if e, ok := errors.AsType[*job.InvalidError](err); ok {
		return status.Error(codes.Unknown, truncate.Text(e.Error()))
	}
	if e, ok := errors.AsType[*job.TooLargeError](err); ok {
		return status.Error(codes.ResourceExhausted, e.Error())
	}
	switch {
	case errors.Is(err, job.ErrExists):
		return status.Error(codes.AlreadyExists, truncate.Text(err.Error()))
	case errors.Is(err, job.ErrNotFound):
		return status.Error(codes.NotFound, truncate.Text(err.Error()))
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, context.Canceled.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, context.DeadlineExceeded.Error())
	default:
		return status.Error(codes.Internal, "internal error of the scheduler: its log says more")
	}
}
