package simulate_test

import (
	"fmt"
	"time"

	"carillon/internal/job"
)

// checkLost holds that what was acknowledged, and was neither deleted nor replaced, is delivered:
// each occurrence, until an app has handled it or its attempts were used up. It holds for what
// nobody knows of, too, once it has begun. And when all is well, every call is answered.
func checkLost(s *story, find func(key, format string, args ...any)) {
	for _, v := range s.versions {
		if v.heard.result == done && len(v.reached) == 0 {
			find(v.key, "v%d was acknowledged, and has never reached an engine", v.number())
		}
		if v.heard.result != done && len(v.deliveries) == 0 || s.replacedFrom(v) != never {
			continue
		}
		over := map[time.Duration]bool{}
		for _, d := range v.deliveries {
			over[s.at(d.due)] = over[s.at(d.due)] || d.final()
		}
		for due := range v.dues() {
			if s.at(due) > end-grace {
				break
			}
			if !over[s.at(due)] {
				find(v.key, "v%d (%s) was due at %v, and that was neither handled nor given up in the end", v.number(), v.heard.result, s.at(due))
				break
			}
		}
	}
	for _, c := range s.calls {
		if c.at > calm+grace && c.heard.result == unknown {
			find(c.key, "when all was well, %s asked for %s and heard: %s", c.who, c.op, c.heard.text)
		}
	}
}

// final reports whether d ended its occurrence, as far as anybody can tell.
func (d *delivery) final() bool {
	switch {
	case !d.settled:
		return false
	case d.end.outcome == job.Handled:
		return true
	case d.end.outcome == job.Failed:
		_, again := d.version.policy.Retry(d.due, d.attempt+1)
		return !again
	default:
		return false
	}
}

// dues yields the due instants of v's plan up to the end of the world.
func (v *version) dues() func(yield func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		if len(v.reached) == 0 {
			return
		}
		var last time.Time
		for n := range uint32(1000) {
			due, ok := v.plan.Next(n, last)
			if !ok || !yield(due) {
				return
			}
			last = due
		}
		panic(fmt.Sprintf("v%d is due without end", v.number()))
	}
}
