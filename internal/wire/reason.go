package wire

import (
	"net/http"

	"google.golang.org/grpc/codes"
)

// A Reason is a Dapr error code: the errorCode of an HTTP body, the reason of a gRPC ErrorInfo.
type Reason string

// The reasons of the jobs API (sidecar specification §1.6, §2.2), and ours about the app of a
// request and about limits.
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

// codes returns the HTTP status and the gRPC code of a reason, and whether its HTTP body has
// details. The codes of ReasonSchedule are defaults: a code of the scheduler takes precedence.
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

// httpStatus returns the HTTP status of a gRPC code.
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
