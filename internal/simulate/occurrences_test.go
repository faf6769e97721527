package simulate_test

import (
	"reflect"
	"time"

	"carillon/internal/job"
	"carillon/internal/when"
)

// checkOccurrences holds that the plan of a job is what its user's words mean, and that its distinct occurrences are
// those of the plan, one after the other, each with the attempts that its policy gives it.
func checkOccurrences(s *story, find func(key, format string, args ...any)) {
	for _, e := range s.events {
		switch e.what {
		case delivered, arrived:
			if v := s.byNumber[e.version]; v == nil || v.key != e.key || v.seq > e.seq {
				find(e.key, "v%d is what nobody has asked for under this name", e.version)
			}
		default: // not about what leaves
		}
	}
	for _, v := range s.versions {
		for _, e := range v.reached {
			now := e.at + s.ahead(e)
			want, err := v.words.Resolve(s.began.Add(now))
			if err != nil || !samePlan(e.plan, want) {
				find(v.key, "the words of v%d mean %v at %v, and were resolved to %v", v.number(), want, now, e.plan)
			}
		}
		if len(v.reached) > 0 {
			v.checkCourse(s, find)
		}
	}
}

func samePlan(a, b when.Plan) bool {
	return a.First.Equal(b.First) && a.Until.Equal(b.Until) && a.Repeats == b.Repeats && reflect.DeepEqual(a.Rule, b.Rule)
}

// checkCourse follows the deliveries of v.
func (v *version) checkCourse(s *story, find func(key, format string, args ...any)) {
	n, attempt := uint32(0), uint32(0)
	due, ok := v.plan.Next(0, time.Time{})
	var handled, failed bool // by an app, of the current attempt
	for _, d := range v.deliveries {
		if !ok {
			find(v.key, "v%d is delivered for %v, and its plan has no such occurrence", v.number(), s.at(d.due))
			return
		}
		retry := false
		if failed {
			_, retry = v.policy.Retry(due, attempt+1)
		}
		next, more := v.plan.Next(n+1, due)
		switch {
		case d.due.Equal(due) && d.attempt == attempt:
		case d.due.Equal(due) && d.attempt == attempt+1 && retry:
			attempt, handled, failed = attempt+1, false, false
		case more && d.due.Equal(next) && d.attempt == 0 && (handled || failed && !retry):
			n, due, attempt, handled, failed = n+1, next, 0, false, false
		default:
			find(v.key, "v%d is delivered for %v as attempt %d, after attempt %d at its occurrence %d of %v (handled: %v, failed: %v); the next is at %v (%v)",
				v.number(), s.at(d.due), d.attempt, attempt, n+1, s.at(due), handled, failed, s.at(next), more)
			return
		}
		handled = handled || d.settled && d.end.outcome == job.Handled
		failed = failed || d.settled && d.end.outcome == job.Failed
	}
}
