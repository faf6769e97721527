package when

import (
	"fmt"
	"time"
)

// MinInterval is the shortest interval at which a job may recur or be retried, except zero. Zero is
// the same instant again, for the repeats of the plan.
const MinInterval = time.Millisecond

// maxAtOnce is how often a job with an interval of zero may be due.
const maxAtOnce = 1000

// tooFrequent reports whether the interval of r is shorter than MinInterval.
func (r Rule) tooFrequent() bool { return r.interval && 0 < r.every && r.every < MinInterval }

// checkFrequency returns an error if a job with the rule of this schedule and so many repeats would
// be due too often; repeats 0: no limit.
func (r Rule) checkFrequency(schedule string, repeats uint32) *Error {
	switch {
	case r.tooFrequent():
		return &Error{Field: "schedule", Reason: fmt.Sprintf(
			"%s is too often: an interval is at least %v", schedule, MinInterval)}
	case r == Every(0) && repeats == 0:
		return &Error{Field: "schedule", Reason: fmt.Sprintf(
			"%s without repeats would be due for ever at one instant: add repeats or a longer interval", schedule)}
	case r == Every(0) && repeats > maxAtOnce:
		return &Error{Field: "repeats", Reason: fmt.Sprintf(
			"%d times %s would be due at one instant: repeat it at most %d times, or choose a longer interval", repeats, schedule, maxAtOnce)}
	}
	return nil
}

// firstAfter returns the first instant of the rule of this schedule after t.
func (r Rule) firstAfter(schedule string, t time.Time) (time.Time, *Error) {
	next, ok := r.Next(t)
	if !ok {
		return time.Time{}, &Error{Field: "schedule", Reason: fmt.Sprintf(
			"schedule %s is never due after %s: correct it", schedule, show(t))}
	}
	return next, nil
}

// show returns an instant as it appears in errors.
func show(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
