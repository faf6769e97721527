package wire

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"carillon/internal/job"
	"carillon/internal/truncate"
)

// WithHelp sets the help of e: what to do about it. The middle of a long one is cut out.
//
// Some clients look for the messages of Dapr, so these stay unchanged, and the help is separate:
// the field help of an HTTP body, and a google.rpc.BadRequest or Help over gRPC
// (docs/decisions/0026).
func (e *APIError) WithHelp(help string) *APIError {
	e.Help = truncate.Text(help)
	return e
}

// About sets the wrong field, by its path in the request of Dapr's gRPC API, and what to do about
// it.
func (e *APIError) About(field, help string) *APIError {
	e.Field = field
	return e.WithHelp(help)
}

// helpDetail returns the help of e as a detail of a status, or nil if it has none.
func (e *APIError) helpDetail() protoadapt.MessageV1 {
	switch {
	case e.Field != "":
		return &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: e.Field, Description: e.Help}}}
	case e.Help != "":
		return &errdetails.Help{Links: []*errdetails.Help_Link{{Description: e.Help}}}
	}
	return nil
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

// helpCode returns what to do about a code of a scheduler whose text does not say it.
func helpCode(code codes.Code) string {
	switch code {
	case codes.Unauthenticated:
		return "the scheduler asks for a certificate: start this sidecar with --enable-mtls"
	case codes.PermissionDenied:
		return "by its certificate, this sidecar is that of another app or namespace: correct --app-id or NAMESPACE, or give it its own certificate"
	case codes.DeadlineExceeded:
		return "the scheduler has not answered in time, and may have carried it out: look before you try again, and into its log and health"
	case codes.Unimplemented:
		return "the scheduler does not know this call: use a newer one"
	default:
		return ""
	}
}

// HelpGet adds help to the error of a get call for the job of this name that failed with err.
func (e *APIError) HelpGet(err error, target job.Target, name string) *APIError {
	if status.Code(err) == codes.NotFound {
		return e.About("name", fmt.Sprintf("the app %.100q has no job of the name %.100q: it was not scheduled for that app, was deleted, or has fired for the last time", target.Name, name))
	}
	return e
}

// HelpSchedule adds help to the error of the schedule request r that failed with err, as of now:
// how to correct it, or how else to get it accepted. It works with any scheduler.
func (e *APIError) HelpSchedule(err error, r *schedulerv1.ScheduleJobRequest, now time.Time) *APIError {
	switch code := status.Code(err); {
	case code == codes.AlreadyExists:
		return e.About("overwrite", fmt.Sprintf("the app %.100q has a job of the name %.100q: set overwrite to true to replace it, delete it first, or choose another name", r.GetMetadata().GetAppId(), r.GetName()))
	case code == codes.ResourceExhausted && strings.Contains(err.Error(), "larger than max"):
		return e.About("job.data", fmt.Sprintf("a job with %d bytes of data is too large, however often it is sent: keep the data elsewhere, and send where it is", len(r.GetJob().GetData().GetValue())))
	case code == codes.Unknown || code == codes.InvalidArgument:
		if invalid, ok := errors.AsType[*job.InvalidError](invalid(r, now)); ok {
			return e.About("job."+invalid.Field, cmp.Or(invalid.Help, strings.TrimPrefix(invalid.Reason, job.InvalidJob)))
		}
	}
	return e
}

// invalid returns the error of an invalid request, or nil.
func invalid(r *schedulerv1.ScheduleJobRequest, now time.Time) error {
	k, err := Key(r.GetName(), r.GetMetadata())
	if err != nil {
		return err
	}
	if err := k.Check(); err != nil {
		return err
	}
	spec, err := Spec(r.GetJob(), r.GetMetadata())
	if err != nil {
		return err
	}
	return spec.Resolve(now)
}
