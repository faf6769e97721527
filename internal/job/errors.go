package job

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound says that no job has the key. A finished or expired job is gone.
	ErrNotFound = errors.New("job not found")
	// ErrExists says that the key is taken and overwriting was not asked for.
	ErrExists = errors.New("job already exists")
	// ErrUnavailable says that the request could not be carried out now, or that it is unknown
	// whether it was. The caller may retry.
	ErrUnavailable = errors.New("try again")
	// ErrFull says that the store accepts no new data. Stored jobs are not affected.
	ErrFull = errors.New("the store is full")
)

// Dapr's texts about a job with an invalid name, or an invalid time, begin so (scheduler
// specification §4.7).
const (
	InvalidName = "job name is invalid "
	InvalidJob  = "job failed validation: "
)

// A FullError is [ErrFull] with figures. Reason is for the operator.
type FullError struct {
	Reason string
}

func (e *FullError) Error() string { return ErrFull.Error() + ": " + e.Reason }

// Is reports whether target is [ErrFull].
func (e *FullError) Is(target error) bool { return target == ErrFull }

// An InvalidError is a request that its user can correct. Its text is for that user.
type InvalidError struct {
	Field  string // in the Scheduler service: name, schedule, due_time, ttl, repeats …
	Reason string // in Dapr's words if Dapr refuses it too
	Help   string // what to do instead; empty if Reason says it
}

// Error returns the reason, and then the help.
func (e *InvalidError) Error() string {
	if e.Help == "" {
		return e.Reason
	}
	return e.Reason + ": " + e.Help
}

// A TooLargeError is a job that is larger than the store accepts. Both figures are bytes.
type TooLargeError struct {
	Size, Limit int
}

// Error returns Dapr's text (scheduler specification §1.4).
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("trying to send message larger than max (%d vs. %d)", e.Size, e.Limit)
}
