package job

import (
	"time"

	"carillon/internal/when"
)

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
