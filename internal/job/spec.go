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

// A Request asks to store a job. An existing job with the same key is replaced if Overwrite is set.
// If Remove is set, it asks to remove the job, and only Key matters.
type Request struct {
	Key       Key
	Spec      Spec
	Overwrite bool
	Remove    bool
}

// Data is a payload: the two fields of a protobuf Any, uninterpreted.
type Data struct {
	TypeURL string
	Value   []byte
}

// A Policy says what follows a failed attempt (scheduler specification §5). The zero Policy retries
// after a millisecond, without limit.
type Policy struct {
	// Drop gives a trigger up after its first failure. The other fields have no effect then.
	Drop bool
	// Interval is the time between the due instants of two attempts. Anything below
	// [when.MinInterval] means that minimum, and so does nil. It is kept as given, for Get.
	Interval *time.Duration
	// MaxRetries is how many attempts follow the first; nil: no limit.
	MaxRetries *uint32
}

// DefaultPolicy is the policy of a job that names none: three retries, a second apart.
func DefaultPolicy() Policy {
	return Policy{Interval: new(time.Second), MaxRetries: new(uint32(3))}
}

// Equal reports whether p and q say the same.
func (p Policy) Equal(q Policy) bool {
	return p.Drop == q.Drop && equal(p.Interval, q.Interval) && equal(p.MaxRetries, q.MaxRetries)
}

func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// Retry returns when an attempt that was due at the given instant and failed is due again. failures
// includes this one. ok is false if the trigger is given up.
func (p Policy) Retry(due time.Time, failures uint32) (again time.Time, ok bool) {
	if p.Drop || p.MaxRetries != nil && failures > *p.MaxRetries {
		return time.Time{}, false
	}
	interval := when.MinInterval
	if p.Interval != nil {
		interval = max(interval, *p.Interval)
	}
	return when.Clamp(due.Add(interval)), true
}
