package management

import (
	"math"
	"time"

	"carillon/internal/engine"
	"carillon/internal/when"
)

// An occurrenceWalk yields what falls due of a job, in order: its next attempt, and the occurrences
// that its schedule has after that. Occurrences that fell due while the job waited for a retry are
// late already, and not among them. Nor are the repetitions of an interval of zero, which have no
// time of their own.
type occurrenceWalk struct {
	next time.Time // zero after the end

	plan  when.Plan
	count uint32    // occurrences up to last
	last  time.Time // an occurrence, or an instant behind one of a calendar without repeats
}

func newOccurrenceWalk(v *engine.JobView) occurrenceWalk {
	return occurrenceWalk{next: v.Due, plan: v.Spec.Plan, count: addSaturated(v.State.Settled, 1), last: v.Occurrence}
}

// advance moves to the first occurrence after the present one. See skipPast.
func (w *occurrenceWalk) advance(work *int) bool { return w.skipPast(w.next, work) }

// skipPast moves to the first occurrence after t, if the present one is not. It takes the occurrences
// that it computes from work, and returns false if that is used up before the end.
func (w *occurrenceWalk) skipPast(t time.Time, work *int) bool {
	every, isInterval := w.plan.Rule.Interval()
	for !w.next.IsZero() && !w.next.After(t) {
		if *work <= 0 {
			return false
		}
		*work--
		switch {
		case isInterval && every <= 0:
			w.next = time.Time{}
			return true
		case isInterval && t.After(w.last):
			n := int64(t.Sub(w.last) / every) // fewer if the distance is more than a duration holds
			w.count, w.last = addSaturated(w.count, n), w.last.Add(time.Duration(n*int64(every)))
		case !isInterval && w.plan.Repeats == 0 && t.After(w.last):
			w.last = t // how many there are before it does not matter
		}
		next, ok := w.plan.Next(w.count, w.last)
		if !ok {
			next = time.Time{}
		}
		w.next, w.last, w.count = next, next, addSaturated(w.count, 1)
	}
	return true
}

// addSaturated returns a + b, or the largest number.
func addSaturated(a uint32, b int64) uint32 {
	if b > math.MaxUint32 {
		return math.MaxUint32
	}
	return uint32(min(int64(a)+b, math.MaxUint32))
}
