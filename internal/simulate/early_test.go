package simulate_test

import "time"

// checkEarly holds that no attempt leaves the engine, and none comes to an app, before it is due:
// the first one of an occurrence at the instant that the plan says, and each further one after as
// many intervals of the policy. Where a clock was stepped, it is due when that clock says so, and
// no app gets it before somebody's clock did.
func checkEarly(s *story, find func(key, format string, args ...any)) {
	for _, v := range s.versions {
		if len(v.reached) == 0 {
			continue
		}
		n, due, last := uint32(0), v.plan.First, v.plan.First
		for _, d := range v.deliveries {
			if !d.due.Equal(last) { // the next occurrence, whatever it claims to be
				next, ok := v.plan.Next(n+1, due)
				if !ok {
					break // that is another checker's matter
				}
				n, due, last = n+1, next, d.due
			}
			from := s.at(due)
			if v.policy.Interval != nil {
				from += time.Duration(d.attempt) * *v.policy.Interval
			}
			if d.at+s.allowed(d) < from {
				find(v.key, "v%d leaves the engine at %v, as attempt %d at what is due at %v", v.number(), d.at, d.attempt, s.at(due))
			}
		}
		for _, a := range v.arrivals {
			ahead := time.Duration(0)
			for _, d := range v.deliveries {
				if d.seq < a.seq {
					ahead = max(ahead, s.allowed(d))
				}
			}
			if first := s.at(v.plan.First); a.at+ahead < first {
				find(v.key, "v%d comes to %s at %v, and is first due at %v", v.number(), a.who, a.at, first)
			}
		}
	}
}

// number is that of the version.
func (v *version) number() int { return v.version }
