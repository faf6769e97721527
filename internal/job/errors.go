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
	// ErrUnavailable says that the request could not be carried out now, or that its fate is unknown; it may be
	// tried again.
	ErrUnavailable = errors.New("try again")
	// ErrFull says that there is no room for anything new, while all that is stored goes on.
	ErrFull = errors.New("the store is full")
)

// How Dapr's texts begin about a job that is refused for its name, or for when it is due (scheduler specification §4.7).
const (
	InvalidName = "job name is invalid "
	InvalidJob  = "job failed validation: "
)

// A FullError is [ErrFull], with the figures. Reason is for whoever can make room.
type FullError struct {
	Reason string
}

func (e *FullError) Error() string { return ErrFull.Error() + ": " + e.Reason }

// Is reports whether target is [ErrFull].
func (e *FullError) Is(target error) bool { return target == ErrFull }

// An InvalidError is a request that its user can mend. Its text is for that person.
type InvalidError struct {
	Field  string // what to correct, as the Scheduler service calls it: name, schedule, due_time, ttl, repeats …
	Reason string // in Dapr's words, where Dapr refuses it, too
	Help   string // what to do instead; empty where the reason says it
}

// Error returns the reason, and then the help.
func (e *InvalidError) Error() string {
	if e.Help == "" {
		return e.Reason
	}
	return e.Reason + ": " + e.Help
}

// A TooLargeError is a job that is larger than a store takes. Both figures are bytes.
type TooLargeError struct {
	Size, Limit int
}

// Error returns Dapr's text (scheduler specification §1.4).
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("trying to send message larger than max (%d vs. %d)", e.Size, e.Limit)
}
