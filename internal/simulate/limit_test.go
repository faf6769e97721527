package simulate_test

import "strings"

// checkLimit holds that the sidecars of an actor type with a limit have no more of its reminders at
// once, from one node, than that, but for those that the node may have given up.
func checkLimit(s *story, find func(key, format string, args ...any)) {
	var calls []*arrival
	for _, v := range s.versions {
		for _, a := range v.arrivals {
			if a.limit > 0 {
				calls = append(calls, a)
			}
		}
	}
	calls = sorted(calls, func(a *arrival) int { return a.seq })
	for i, b := range calls {
		actor, _, _ := strings.Cut(b.key, "/")
		with := 0
		for _, a := range calls[:i] {
			if strings.HasPrefix(a.key, actor+"/") && a.text == b.text && a.left.seq > b.seq && !s.abandoned(s.byNumber[a.version].deliveries, a, b) {
				with++
			}
		}
		if with >= b.limit {
			find(b.key, "%s gets v%d at %v, as #%d, and the sidecars of %s have %d from %s already", b.who, b.version, b.at, b.call, actor, with, b.text)
		}
	}
}
