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

// AsInvalid gives e the codes of an invalid request.
func (e *APIError) AsInvalid() *APIError {
	e.HTTP, e.Code = http.StatusBadRequest, codes.InvalidArgument
	return e
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

// BadToken returns the error of a gRPC call without the API token, or with a wrong one.
func BadToken(message, help string) *APIError {
	e := &APIError{Reason: ReasonUnauthorized, Message: "Unauthorized"}
	e.HTTP, e.Code, e.rich = ReasonUnauthorized.codes()
	e.metadata = map[string]string{"http.code": "401", "http.error_message": message}
	return e.WithHelp(help)
}

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
