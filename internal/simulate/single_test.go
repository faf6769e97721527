package simulate_test

import "carillon/internal/job"

// checkSingle holds that a job has one delivery out at a time: in a life of the scheduler, none leaves while another of
// the same job has not ended; and no app has two calls of a job at once, unless the scheduler has given the first one up
// as lost, or its life has ended.
func checkSingle(s *story, find func(key, format string, args ...any)) {
	out := map[string]*delivery{}
	for _, d := range s.inOrder() {
		if before := out[d.key]; before != nil && before.life == d.life && before.end.seq > d.seq {
			find(d.key, "#%d leaves at %v, and #%d, which left at %v, is out", d.event.call, d.at, before.event.call, before.at)
		}
		out[d.key] = d
	}
	for _, key := range s.keys() {
		s.checkCalls(key, find)
	}
}

// inOrder returns all deliveries as they left.
func (s *story) inOrder() []*delivery {
	var all []*delivery
	for _, v := range s.versions {
		all = append(all, v.deliveries...)
	}
	return sorted(all, func(d *delivery) int { return d.seq })
}

// checkCalls looks for two calls of apps about one job at a time.
func (s *story) checkCalls(key string, find func(key, format string, args ...any)) {
	var sent []*delivery
	var calls []*arrival
	for _, v := range s.versions {
		if v.key == key {
			sent, calls = append(sent, v.deliveries...), append(calls, v.arrivals...)
		}
	}
	calls = sorted(calls, func(a *arrival) int { return a.seq })
	for i, a := range calls {
		for _, b := range calls[i+1:] {
			if b.seq > a.left.seq {
				break
			}
			if !abandoned(sent, a, b) {
				find(key, "%s gets v%d at %v, as #%d, and %s has v%d since %v, as #%d",
					b.who, b.version, b.at, b.event.call, a.who, a.version, a.at, a.event.call)
			}
		}
	}
}

// abandoned reports whether the scheduler may have given up what had become the call a when b came: something that it sent
// before a, and lost after that, or not long before, because what was sent may have been on its way for so long.
func abandoned(sent []*delivery, a, b *arrival) bool {
	for _, d := range sent {
		lost := !d.settled || d.end.outcome != job.Handled && d.end.outcome != job.Failed
		if lost && d.seq < a.seq && d.end.seq < b.seq && d.end.at >= a.at-grace {
			return true
		}
	}
	return false
}
