package wire

import (
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
)

// ScheduleFailed returns the error of a schedule call that a scheduler refused, or that reached
// none. Its code is that of the scheduler.
func ScheduleFailed(target job.Target, err error) *APIError {
	e := failed(ReasonSchedule, target, "failed to schedule job due to: ", err)
	if code := status.Code(err); code != codes.Unknown {
		e.Code, e.HTTP = code, httpStatus(code)
	}
	return e
}

// GetFailed returns the error of a failed get call, also if there is no such job.
func GetFailed(target job.Target, err error) *APIError {
	return failed(ReasonGet, target, "failed to get job due to: ", err)
}

// DeleteFailed returns the error of a failed delete call, by name or by prefix.
func DeleteFailed(target job.Target, err error) *APIError {
	return failed(ReasonDelete, target, "failed to delete job due to: ", err)
}

// ListFailed returns the error of a failed list call. A list that is too long is ResourceExhausted,
// whether the scheduler or gRPC reports it; everything else is Internal.
func ListFailed(target job.Target, err error) *APIError {
	e := failed(ReasonList, target, "failed to list jobs due to: ", err)
	if status.Code(err) == codes.ResourceExhausted {
		e.Code, e.HTTP = codes.ResourceExhausted, httpStatus(codes.ResourceExhausted)
	}
	return e
}

// ListPageFailed returns the error of a failed call for a page of a list. Its code is that of the
// scheduler.
func ListPageFailed(target job.Target, err error) *APIError {
	e := failed(ReasonList, target, "failed to list jobs due to: ", err)
	switch code := status.Code(err); {
	case code == codes.Unimplemented:
		_ = e.WithHelp("lists over HTTP need a scheduler of Carillon: with one of Dapr, call ListJobs over gRPC")
	case code == codes.InvalidArgument:
		_ = e.About("pageToken", "give the pageToken that the page before returned, with the same app and namePrefix; leave it out for the first page")
	case code == codes.ResourceExhausted:
		_ = e.WithHelp("try again later, or with a smaller pageSize")
	case IsMalformed(err):
		return e.AsInvalid().About("namePrefix", "give a namePrefix with which the name of a job can begin")
	}
	if code := status.Code(err); code != codes.Unknown {
		e.Code, e.HTTP = code, httpStatus(code)
	}
	return e
}

// IsMalformed reports whether a scheduler, ours or Dapr's, refused a call because of the name of
// the job or of its times, which only the client can fix. Schedulers answer both with code Unknown,
// as they do all errors without a code (scheduler specification §1.3), so that the text decides.
// gRPC refuses names that are not UTF-8.
func IsMalformed(err error) bool {
	st, ok := status.FromError(err)
	if !ok || st.Code() != codes.Unknown {
		return false
	}
	return strings.HasPrefix(st.Message(), job.InvalidJob) || strings.HasPrefix(st.Message(), job.InvalidName)
}

// An UnreachableError is the error of a call that reached no scheduler: it may be retried. Its code
// is Unavailable.
type UnreachableError struct{ Text string }

func (e *UnreachableError) Error() string { return e.Text }

// GRPCStatus returns the status of e. Package grpc calls it.
func (e *UnreachableError) GRPCStatus() *status.Status { return status.New(codes.Unavailable, e.Text) }

// A HelpfulError is an error whose text is Dapr's, with help for a person.
type HelpfulError struct{ Text, Help string }

func (e *HelpfulError) Error() string { return e.Text }

// A NoExtError is the error of a job with an ext whose scheduler cannot store that: it is Dapr's, or
// an older one of ours. The job is not stored. The code is Unimplemented.
type NoExtError struct{}

func (NoExtError) Error() string { return "the scheduler cannot store the ext of a job" }

// GRPCStatus returns the status of e. Package grpc calls it.
func (e NoExtError) GRPCStatus() *status.Status { return status.New(codes.Unimplemented, e.Error()) }

// failed returns the error of a call that failed with err. The text, which is Dapr's, precedes it.
func failed(reason Reason, target job.Target, text string, err error) *APIError {
	e := NewAPIError(reason, target, text+err.Error())
	if h, ok := errors.AsType[*HelpfulError](err); ok {
		e.Help = h.Help
	} else {
		e.Help = helpCode(status.Code(err))
	}
	if u, ok := errors.AsType[*UnreachableError](err); ok {
		e.Code = u.GRPCStatus().Code()
		e.HTTP = httpStatus(e.Code)
	}
	return e
}
