package sidecar

import (
	"net/http"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// This file turns what others send into values of labels, each of which is one of a fixed set: a series is never given up,
// so an app that answers with ever other numbers must not make ever other series.

// rpcOf is a call of that method, one of ours, which ended with err.
func rpcOf(method string, err error) rpc { return rpc{method, codeOf(err)} }

// codeOf is the code of err, or Unknown if it is none of gRPC's.
func codeOf(err error) codes.Code {
	if code := status.Code(err); code <= codes.Unauthenticated {
		return code
	}
	return codes.Unknown
}

// An attemptLabel is the name of a [job.Outcome], or notFound.
type attemptLabel string

// notFound is that of attempts at jobs that the app did not know: handled, as the scheduler is told, and failed in Dapr's
// metrics of jobs.
const notFound attemptLabel = "not_found"

// An httpCode is a status of HTTP that has a name, or otherStatus.
type httpCode int

const otherStatus httpCode = 0

func httpCodeOf(code int) httpCode {
	if http.StatusText(code) == "" {
		return otherStatus
	}
	return httpCode(code)
}

// String is the label.
func (c httpCode) String() string {
	if c == otherStatus {
		return "other"
	}
	return strconv.Itoa(int(c))
}
