package daprmetrics

import (
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// GRPCCode returns the code of err, or Unknown if it is not one that gRPC defines.
func GRPCCode(err error) codes.Code {
	if code := status.Code(err); code <= codes.Unauthenticated {
		return code
	}
	return codes.Unknown
}

// An HTTPStatus is an HTTP status code that has a name, or otherStatus.
type HTTPStatus int

const otherStatus HTTPStatus = 0

// NewHTTPStatus returns the label of a status code.
func NewHTTPStatus(code int) HTTPStatus {
	if http.StatusText(code) == "" {
		return otherStatus
	}
	return HTTPStatus(code)
}

// String returns the value of the label.
func (s HTTPStatus) String() string {
	if s == otherStatus {
		return "other"
	}
	return strconv.Itoa(int(s))
}
