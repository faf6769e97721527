package simulate_test

import (
	"time"

	"carillon/internal/job"
)

// checkDuplicates holds that an attempt is delivered again only if the store cannot know how it
// ended: its stream was lost; or its scheduler ended while it was out, or before the disk could
// have written its outcome down; or the disk returned an error meanwhile. The metrics of the nodes
// count them, but for what was out when a node ended. And an app gets no more than was sent to it.
func checkDuplicates(s *story, find func(key, format string, args ...any)) {
	counted := map[*life]int{}
	for _, v := range s.versions {
		var last *delivery
		for _, d := range v.deliveries {
			if last != nil && d.due.Equal(last.due) && d.attempt == last.attempt {
				if s.knows(last, d) {
					counted[last.life]++
				}
				if !last.unknown(s, d) {
					find(v.key, "v%d is delivered again at %v, as #%d: attempt %d at %v ended as %s at %v, as #%d, and that was stored",
						v.number(), d.at, d.call, d.attempt, s.at(d.due), last.end.outcome, last.end.at, last.call)
				}
			}
			last = d
		}
		for i, a := range v.arrivals {
			if i >= len(v.deliveries) || v.deliveries[i].seq > a.seq {
				find(v.key, "v%d comes to %s at %v, as #%d, and was sent only %d times by then", v.number(), a.who, a.at, a.call, i)
				break
			}
		}
	}
	for _, l := range s.lives {
		if l.died.seq != never && counted[l] > l.died.redelivered {
			find("", "%d attempts of node %d were delivered again, and its metric has counted %d", counted[l], l.began.life, l.died.redelivered)
		}
	}
}

// knows reports whether the node of d lived on to know that it does not believe in d any more when again leaves.
func (s *story) knows(d, again *delivery) bool {
	if d.life == again.life {
		return true
	}
	for _, e := range s.ownerships[d.partition] {
		if e.what == letsGo && e.life == d.event.life && e.seq > d.seq && e.seq < d.life.died.seq {
			return true
		}
	}
	return false
}

// unknown reports whether a store may not know how d ended when again leaves.
func (d *delivery) unknown(s *story, again *delivery) bool {
	if !d.settled || d.end.outcome != job.Handled && d.end.outcome != job.Failed {
		return true
	}
	for _, e := range d.life.errors {
		if (e.seq > d.seq || e.at == d.at) && e.seq < again.seq { // the order of two events at one instant is unknown
			return true
		}
	}
	if again.life == d.life && !s.shared {
		return false
	}
	until, _ := s.ownershipEnd(d)
	if until.seq > again.seq {
		return false
	}
	return until.seq < d.end.seq || !d.life.rested(d.end, until)
}

// rested reports whether there was a moment between the two at which nothing was being committed. A loop that has
// something to write down does so at once.
func (l *life) rested(from, to event) bool {
	at := from.at
	for _, c := range l.commits {
		if c.to.seq < from.seq || c.from.seq > to.seq {
			continue
		}
		if c.from.at > at && c.from.seq > from.seq {
			return true
		}
		at = max(at, min(c.to.at, to.at))
	}
	return to.at > at+time.Nanosecond
}
