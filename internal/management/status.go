package management

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	"carillon/internal/truncate"
)

// domain is the domain of the ErrorInfo of errors.
const domain = "carillon"

// A fieldError is a wrong field of a request. Its text is for the author of the request.
type fieldError struct {
	field, text string // the field as JSON has it
}

func (e *fieldError) Error() string { return e.field + ": " + e.text }

// status returns the status for the client, which names the field.
func (e *fieldError) status() error {
	return withDetails(codes.InvalidArgument, "INVALID_FIELD", e.Error(),
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: e.field, Description: e.text}}})
}

// invalid returns the error of a wrong field.
func invalid(field, text string) error { return newFieldError(field, text) }

// newFieldError is invalid for callers that need the type.
func newFieldError(field, text string) *fieldError { return &fieldError{field, truncate.Text(text)} }

// nameError returns the error of a name that breaks a rule of keys; err may be nil.
func nameError(field string, err error) error {
	if e, ok := errors.AsType[*job.InvalidError](err); ok {
		if e.Help != "" {
			return invalid(field, e.Help)
		}
		return invalid(field, e.Reason)
	}
	return err
}

// timesError returns the error of the times of a job; err may be nil.
func timesError(err error) error {
	if e, ok := errors.AsType[*job.InvalidError](err); ok {
		field := e.Field
		if field == "due_time" {
			field = "dueTime"
		}
		return invalid(field, strings.TrimPrefix(e.Error(), job.InvalidJob))
	}
	return err
}

// statusOf returns the status of err for the client. What is not known here is INTERNAL; its text
// goes to the log.
func statusOf(ctx context.Context, log *slog.Logger, method string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	if e, ok := errors.AsType[*fieldError](err); ok {
		return e.status()
	}
	switch {
	case errors.Is(err, job.ErrNotFound):
		return withDetails(codes.NotFound, "NOT_FOUND", err.Error(), nil)
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "the client ended the call")
	case errors.Is(err, context.DeadlineExceeded):
		return withDetails(codes.DeadlineExceeded, "TIMEOUT", "the call took too long: ask for less, with a filter or a smaller page", nil)
	case errors.Is(err, job.ErrUnavailable):
		return withDetails(codes.Unavailable, "UNAVAILABLE", err.Error(), nil)
	}
	log.ErrorContext(ctx, "a call of the management API failed", slog.String("method", method), slog.Any("err", err))
	return withDetails(codes.Internal, "INTERNAL", "internal error: the log of the node says more", nil)
}

// withDetails returns a status with an ErrorInfo, and with another detail unless that is nil.
func withDetails(code codes.Code, reason, text string, detail *errdetails.BadRequest) error {
	s := status.New(code, truncate.Text(text))
	info := &errdetails.ErrorInfo{Reason: reason, Domain: domain}
	var err error
	if detail != nil {
		s, err = s.WithDetails(info, detail)
	} else {
		s, err = s.WithDetails(info)
	}
	if err != nil {
		return fmt.Errorf("details of a status: %w", err) // only OK has none
	}
	return s.Err()
}
