package wire

import (
	"net/http"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"carillon/internal/brief"
	"carillon/internal/job"
	"carillon/internal/when"
)

// Reason is a Dapr error code: the errorCode of an HTTP body, the reason of a gRPC ErrorInfo.
type Reason string

// The errors of the jobs API (sidecar specification §1.6, §2.2), and ours about the app that is asked for,
// and about bounds.
const (
	ReasonBodyRead      Reason = "ERR_BODY_READ"
	ReasonMalformed     Reason = "ERR_MALFORMED_REQUEST"
	ReasonNotRoute      Reason = "ERR_DIRECT_INVOKE"
	ReasonInternal      Reason = "ERR_INTERNAL"
	ReasonNotReady      Reason = "ERR_HEALTH_NOT_READY"
	ReasonOtherHealth   Reason = "ERR_HEALTH_APPID_NOT_MATCH"
	ReasonAppMissing    Reason = "ERR_APP_ID_MISSING"
	ReasonAppInvalid    Reason = "ERR_APP_ID_INVALID"
	ReasonAppForbidden  Reason = "ERR_APP_ID_FORBIDDEN"
	ReasonTooManyCalls  Reason = "ERR_TOO_MANY_CALLS"
	ReasonTooManyJobs   Reason = "ERR_TOO_MANY_JOBS"
	ReasonMetadataFull  Reason = "ERR_METADATA_FULL"
	ReasonUnauthorized  Reason = "Unauthorized"
	ReasonJobEmpty      Reason = "DAPR_SCHEDULER_EMPTY"
	ReasonNameInBody    Reason = "DAPR_SCHEDULER_JOB_NAME"
	ReasonNameEmpty     Reason = "DAPR_SCHEDULER_JOB_NAME_EMPTY"
	ReasonScheduleEmpty Reason = "DAPR_SCHEDULER_SCHEDULE_EMPTY"
	ReasonSchedule      Reason = "DAPR_SCHEDULER_SCHEDULE_JOB"
	ReasonGet           Reason = "DAPR_SCHEDULER_GET_JOB"
	ReasonDelete        Reason = "DAPR_SCHEDULER_DELETE_JOB"
	ReasonList          Reason = "DAPR_SCHEDULER_LIST_JOBS"
)

// codes is the one table from a reason to its HTTP status and gRPC code, and whether its HTTP body has details.
// That of ReasonSchedule is a default: the scheduler's own code decides.
func (r Reason) codes() (httpStatus int, code codes.Code, rich bool) {
	switch r {
	case ReasonBodyRead, ReasonMalformed, ReasonAppMissing, ReasonAppInvalid:
		return http.StatusBadRequest, codes.InvalidArgument, false
	case ReasonUnauthorized:
		return http.StatusUnauthorized, codes.Unauthenticated, false
	case ReasonAppForbidden:
		return http.StatusForbidden, codes.PermissionDenied, false
	case ReasonNotRoute:
		return http.StatusNotFound, codes.Unimplemented, false
	case ReasonTooManyCalls:
		return http.StatusServiceUnavailable, codes.ResourceExhausted, false
	case ReasonTooManyJobs:
		return http.StatusRequestEntityTooLarge, codes.ResourceExhausted, false
	case ReasonMetadataFull:
		return http.StatusTooManyRequests, codes.ResourceExhausted, false
	case ReasonInternal, ReasonNotReady, ReasonOtherHealth:
		return http.StatusInternalServerError, codes.Internal, false
	case ReasonJobEmpty, ReasonNameInBody, ReasonNameEmpty, ReasonScheduleEmpty:
		return http.StatusBadRequest, codes.InvalidArgument, true
	case ReasonSchedule, ReasonGet, ReasonDelete, ReasonList:
		return http.StatusInternalServerError, codes.Internal, true
	default:
		return http.StatusInternalServerError, codes.Internal, false
	}
}

// An APIError is an error as a user of a sidecar's API sees it, over HTTP and over gRPC.
type APIError struct {
	Reason  Reason
	Message string
	// HTTP is the status, and Code the code, that it is answered with.
	HTTP int
	Code codes.Code
	// Help says what to do, where the message does not; and Field which field of the gRPC request that is about, if any.
	Help, Field string

	metadata map[string]string // of the ErrorInfo
	rich     bool              // the HTTP body has the ErrorInfo, too
}

// NewAPIError is the error of reason in the API of target. A long message loses its middle.
func NewAPIError(reason Reason, target job.Target, message string) *APIError {
	e := &APIError{Reason: reason, Message: brief.Text(message), metadata: map[string]string{"appID": brief.To(target.Name, job.MaxName)}}
	e.HTTP, e.Code, e.rich = reason.codes()
	if reason != ReasonNameInBody { // Dapr leaves it out there
		e.metadata["namespace"] = target.Namespace
	}
	return e
}

// ScheduleFailed is the error of a schedule call that the scheduler refused or that did not reach one: its code is the
// scheduler's.
func ScheduleFailed(target job.Target, err error) *APIError {
	e := failed(ReasonSchedule, target, "failed to schedule job due to: ", err)
	if code := status.Code(err); code != codes.Unknown {
		e.Code, e.HTTP = code, httpStatus(code)
	}
	return e
}

// AsInvalid has e answered as the client's mistake.
func (e *APIError) AsInvalid() *APIError {
	e.HTTP, e.Code = http.StatusBadRequest, codes.InvalidArgument
	return e
}

// IsMalformed reports whether a scheduler, ours or one of Dapr's, refused a call for what its client can mend alone: the name
// of a job, or when it is due. Their code for that is the one that they have for all else without a code (scheduler
// specification §1.3), and so the texts tell. Names must be UTF-8 to get there at all.
func IsMalformed(err error) bool {
	st, ok := status.FromError(err)
	if !ok || st.Code() != codes.Unknown {
		return false
	}
	return strings.HasPrefix(st.Message(), job.InvalidJob) || strings.HasPrefix(st.Message(), job.InvalidName)
}

// Meaningless is the error of a schedule call because of the first of doubts that is about words without any meaning, or
// nil if there is none. Dapr accepts such words.
func Meaningless(target job.Target, doubts []when.Doubt) *APIError {
	for _, d := range doubts {
		if d.Empty {
			return NewAPIError(ReasonSchedule, target, "failed to schedule job due to: "+d.Wrong).AsInvalid().About("job."+d.Field, d.Wrong)
		}
	}
	return nil
}

// GetFailed is the error of any get call that failed, also for want of the job.
func GetFailed(target job.Target, err error) *APIError {
	return failed(ReasonGet, target, "failed to get job due to: ", err)
}

// DeleteFailed is the error of any delete call that failed, by name or by prefix.
func DeleteFailed(target job.Target, err error) *APIError {
	return failed(ReasonDelete, target, "failed to delete job due to: ", err)
}

// ListFailed is the error of any list call that failed. A list that is too long is ResourceExhausted, whichever side
// finds out; everything else is Internal.
func ListFailed(target job.Target, err error) *APIError {
	e := failed(ReasonList, target, "failed to list jobs due to: ", err)
	if status.Code(err) == codes.ResourceExhausted {
		e.Code, e.HTTP = codes.ResourceExhausted, httpStatus(codes.ResourceExhausted)
	}
	return e
}

// BadToken is the error of a gRPC call without the API token, or with another.
func BadToken(message, help string) *APIError {
	e := &APIError{Reason: ReasonUnauthorized, Message: "Unauthorized"}
	e.HTTP, e.Code, e.rich = ReasonUnauthorized.codes()
	e.metadata = map[string]string{"http.code": "401", "http.error_message": message}
	return e.WithHelp(help)
}

func (e *APIError) Error() string { return string(e.Reason) + ": " + e.Message }

// Body is the HTTP body of e.
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
	if !strings.Contains(e.Message, e.Help) { // a scheduler may have said it
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

// GRPCStatus is the status of e, with its one ErrorInfo, and its help behind that. The grpc package asks for it.
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

// httpStatus is the HTTP status of a gRPC code.
func httpStatus(code codes.Code) int {
	switch code {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange:
		return http.StatusBadRequest
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.NotFound:
		return http.StatusNotFound
	case codes.Canceled:
		return http.StatusRequestTimeout
	case codes.AlreadyExists, codes.Aborted:
		return http.StatusConflict
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Unimplemented:
		return http.StatusNotImplemented
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}
