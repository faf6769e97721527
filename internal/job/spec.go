package job

import (
	"errors"
	"time"

	"carillon/internal/when"
)

// A Spec is what a user asked for. It is immutable: scheduling the same key again replaces it, and
// callers must not write through its pointers.
type Spec struct {
	// Words are the user's own, verbatim.
	Words when.Words
	// Plan is what the words mean as of the instant of scheduling.
	Plan when.Plan
	// Policy says what follows a failed attempt.
	Policy Policy
	// Data is delivered to the app byte for byte; nil if there is none, which differs from empty.
	Data *Data
	// AppID is the app that scheduled the job last: the target itself for the job of an app.
	AppID string
	// ConcurrencyKey limits how many triggers of an actor type are in flight at once; nil if
	// absent.
	ConcurrencyKey *string
	// Ext is what the job has beyond Dapr's fields; nil if there is nothing.
	Ext *Ext
}

// Resolve sets s.Plan from s.Words as of now. The error is an [*InvalidError] with Dapr's text
// (scheduler specification §4.7).
func (s *Spec) Resolve(now time.Time) error {
	plan, err := s.Words.Resolve(now)
	if err != nil {
		invalid := &InvalidError{Field: "job", Reason: err.Error()}
		if e, ok := errors.AsType[*when.Error](err); ok {
			invalid.Field, invalid.Reason, invalid.Help = e.Field, e.Reason, e.Help
		}
		invalid.Reason = InvalidJob + invalid.Reason
		return invalid
	}
	s.Plan = plan
	return nil
}

// An Item is a job as it is stored: its key and its spec.
type Item struct {
	Key  Key
	Spec Spec
}

// Data is a payload: the two fields of a protobuf Any, uninterpreted.
type Data struct {
	TypeURL string
	Value   []byte
}
