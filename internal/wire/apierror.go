package wire

import (
	"net/http"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"carillon/internal/job"
	"carillon/internal/truncate"
	"carillon/internal/when"
)

// An APIError is an error of the API of a sidecar, over HTTP and over gRPC.
type APIError struct {
	Reason  Reason
	Message string
	// HTTP is the HTTP status of the answer, and Code the gRPC code.
	HTTP int
	Code codes.Code
	// Help says what to do, if the message does not. Field is the field of the gRPC request that it
	// is about, if any.
	Help, Field string

	metadata map[string]string // of the ErrorInfo
	rich     bool              // the HTTP body has the ErrorInfo, too
}

// NewAPIError returns the error of reason in the API of target. The middle of a long message is cut
// out.
func NewAPIError(reason Reason, target job.Target, message string) *APIError {
	e := &APIError{Reason: reason, Message: truncate.Text(message), metadata: map[string]string{"appID": truncate.To(target.Name, job.MaxName)}}
	e.HTTP, e.Code, e.rich = reason.codes()
	if reason != ReasonNameInBody { // Dapr leaves it out there
		e.metadata["namespace"] = target.Namespace
	}
	return e
}

// ScheduleFailed returns the error of a schedule call that a scheduler refused, or that reached
// none. Its code is that of the scheduler.
func ScheduleFailed(target job.Target, err error) *APIError {
	e := failed(ReasonSchedule, target, "failed to schedule job due to: ", err)
	if code := status.Code(err); code != codes.Unknown {
		e.Code, e.HTTP = code, httpStatus(code)
	}
	return e
}

// AsInvalid gives e the codes of an invalid request.
func (e *APIError) AsInvalid() *APIError {
	e.HTTP, e.Code = http.StatusBadRequest, codes.InvalidArgument
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

// Meaningless returns the error of the first warning about a text without any meaning, or nil if
// there is none. Dapr accepts such texts.
func Meaningless(target job.Target, warnings []when.Warning) *APIError {
	for _, w := range warnings {
		if w.Empty {
			return NewAPIError(ReasonSchedule, target, "failed to schedule job due to: "+w.Wrong).AsInvalid().About("job."+w.Field, w.Wrong)
		}
	}
	return nil
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

// BadToken returns the error of a gRPC call without the API token, or with a wrong one.
func BadToken(message, help string) *APIError {
	e := &APIError{Reason: ReasonUnauthorized, Message: "Unauthorized"}
	e.HTTP, e.Code, e.rich = ReasonUnauthorized.codes()
	e.metadata = map[string]string{"http.code": "401", "http.error_message": message}
	return e.WithHelp(help)
}

func (e *APIError) Error() string { return string(e.Reason) + ": " + e.Message }

// Body returns the HTTP body of e.
func (e *APIError) Body() []byte {
	type info struct {
		Type     string            `json:"@type"`
		Domain   string            `json:"domain"`
		Metadata map[string]string `json:"metadata"`
		Reason   Reason            `json:"reason"`
	}
	out := struct {
		ErrorCode Reason `json:"errorCode"`
		Message   string `json:"message"`
		Help      string `json:"help,omitempty"`
		Details   []info `json:"details,omitempty"`
	}{ErrorCode: e.Reason, Message: e.Message}
	if !strings.Contains(e.Message, e.Help) { // the scheduler may have included it
		out.Help = e.Help
	}
	if e.rich {
		out.Details = []info{{
			Type: "type.googleapis.com/google.rpc.ErrorInfo", Domain: errorDomain, Metadata: e.metadata, Reason: e.Reason,
		}}
	}
	b, err := encodeJSON(out)
	if err != nil {
		panic(err) // strings can be encoded
	}
	return b
}

const errorDomain = "dapr.io"

// GRPCStatus returns the status of e, with an ErrorInfo and then its help as details. Package grpc
// calls it.
func (e *APIError) GRPCStatus() *status.Status {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason: string(e.Reason), Domain: errorDomain, Metadata: e.metadata,
	}}
	if help := e.helpDetail(); help != nil {
		details = append(details, help)
	}
	s, err := status.New(e.Code, e.Message).WithDetails(details...)
	if err != nil { // a string that is not UTF-8 cannot be a detail
		return status.New(e.Code, e.Message)
	}
	return s
}
