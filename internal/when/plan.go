package when

import "time"

// Plan is the resolved rule for when a job is due. It is a value: safe to copy,
// and nothing in it changes.
type Plan struct {
	First   time.Time // the first due instant. It may lie after Until; then the job is never due
	Until   time.Time // the last instant at which it may be due, inclusive; zero: no end
	Repeats uint32    // how many times in all, the first included; 0: no limit
	Rule    Rule      // how it recurs; the zero Rule: it doesn't
}

// Next returns the due instant that follows last, when fired of them have been
// settled. While fired is 0 that is First, whatever last is. ok is false when
// there is none: the repeats are used up, a plan without a rule was due once,
// the instant lies after Until, or the rule has no further one.
//
// Each instant lies after the one before it, except for an interval of zero,
// which repeats the instant.
func (p Plan) Next(fired uint32, last time.Time) (due time.Time, ok bool) {
	if p.Repeats != 0 && fired >= p.Repeats {
		return time.Time{}, false
	}
	due, ok = p.First.UTC(), InRange(p.First)
	if fired > 0 {
		due, ok = p.Rule.Next(last)
	}
	if !ok || !p.Until.IsZero() && due.After(p.Until) {
		return time.Time{}, false
	}
	return due, true
}
