package simulate_test

import "carillon/internal/job"

// checkSingle holds that a job has one delivery out at a time: in a life of a node, none leaves
// while another of the same job has not ended; none leaves a node of a cluster that does not own
// the job's partition; and no app has two calls of a job at once, unless the scheduler has given
// the first one up as lost, or its life has ended.
func checkSingle(s *story, find func(key, format string, args ...any)) {
	out := map[string]*delivery{}
	for _, d := range s.inOrder() {
		if before := out[d.key]; before != nil && before.life == d.life && before.end.seq > d.seq {
			find(d.key, "#%d is sent at %v while #%d, sent at %v, is in flight", d.call, d.at, before.call, before.at)
		}
		out[d.key] = d
		if _, had := s.ownershipEnd(d); !had {
			find(d.key, "#%d leaves node %d at %v, and that does not own partition %d", d.call, d.event.life, d.at, d.partition)
		}
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
			if !s.abandoned(sent, a, b) {
				find(key, "%s gets v%d at %v, as #%d, and %s has v%d since %v, as #%d",
					b.who, b.version, b.at, b.call, a.who, a.version, a.at, a.call)
			}
		}
	}
}

// abandoned reports whether the scheduler may have given up what had become the call a when b came:
// something that it sent before a, and lost after that, or not long before, because what was sent
// may have been on its way for so long; or whose node has had to let go of the job's partition
// since.
func (s *story) abandoned(sent []*delivery, a, b *arrival) bool {
	for _, d := range sent {
		until, _ := s.ownershipEnd(d)
		if !d.settled || d.end.outcome != job.Handled && d.end.outcome != job.Failed {
			until = first(until, d.end)
		}
		if d.seq < a.seq && until.seq < b.seq && until.at >= a.at-grace {
			return true
		}
	}
	return false
}

// first returns which of two events was before the other.
func first(a, b event) event {
	if a.seq < b.seq {
		return a
	}
	return b
}
