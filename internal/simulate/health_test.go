package simulate_test

import (
	"strings"
	"time"

	"carillon/internal/job"
)

// How long firing may have stopped before health has to say so. A scheduler says so within five seconds; it is asked
// once a second; and a disk that is slow, but not too slow for a healthy node, may have an outcome wait for one commit,
// and what follows from it for another.
const (
	redWithin   = 6 * time.Second
	firesWithin = 12 * time.Second
)

// noticedWithin is how long a step of a clock may go unnoticed, with what there is to do then: it
// is looked for once a minute.
const noticedWithin = time.Minute + redWithin

// checkHealth holds that a scheduler that has stopped firing says so: while it is green, and somebody has room, nothing
// that is due waits for long; and while a commit hangs it is red. And when all is well, it is green. In a cluster it is
// the owner of the job's partition who says so, or anybody if there is none.
func checkHealth(s *story, find func(key, format string, args ...any)) {
	for _, v := range s.versions {
		if v.heard.result == done && len(v.reached) > 0 {
			s.checkOwed(v, find)
		}
	}
	for _, l := range s.lives {
		for _, c := range l.commits {
			from, to := c.from.at+redWithin, min(c.to.at, l.died.at, end)
			for _, g := range l.green() {
				if max(g[0], from) < min(g[1], to) {
					find("", "node %d is green at %v, and a commit is under way since %v", l.began.life, max(g[0], from), c.from.at)
				}
			}
		}
	}
	for _, last := range s.lives {
		if last.died.seq != never && last.died.at < end {
			continue
		}
		well := calm + grace
		for _, step := range s.steps[last.began.who] {
			well = max(well, step.at+noticedWithin)
		}
		green := last.green()
		if n := len(green); n == 0 || green[n-1][0] > well || green[n-1][1] < end {
			find("", "all is well since %v, and node %d is not healthy since %v", calm, last.began.life, well)
		}
	}
}

// green returns when l said that it is healthy.
func (l *life) green() [][2]time.Duration {
	var all [][2]time.Duration
	for i, e := range l.health {
		to := min(l.died.at, end)
		if i+1 < len(l.health) {
			to = min(to, l.health[i+1].at)
		}
		if e.text == "" && e.at < to {
			all = append(all, [2]time.Duration{e.at, to})
		}
	}
	return all
}

// checkOwed looks for a time for which an occurrence of v was owed, its scheduler was green, and receivers had room.
func (s *story) checkOwed(v *version, find func(key, format string, args ...any)) {
	until := end
	if from := s.replacedFrom(v); from != never {
		until = s.events[from].at
	}
	due, ok := v.plan.Next(0, time.Time{})
	since := v.heard.at
	n := uint32(0)
	last := v.plan.First
	for _, d := range append(v.deliveries, nil) {
		to := until
		if d != nil {
			to = min(until, d.at)
		}
		if ok {
			for _, free := range s.free(v, s.at(due), since, to) {
				if free[1]-free[0] > firesWithin {
					find(v.key, "v%d is owed since %v, and from %v to %v the scheduler is green, has room for it, and does not send it",
						v.number(), max(since, s.at(due)), free[0], free[1])
					return
				}
			}
		}
		if d == nil || !d.settled && d.life.died.seq == never {
			return
		}
		if !d.due.Equal(last) {
			n, last = n+1, d.due
		}
		since, due, ok = d.end.at, d.due, true
		attempt := d.attempt
		switch {
		case !d.settled || d.end.outcome == job.Lost:
		case d.end.outcome == job.Failed && !d.final():
			attempt++
		default:
			attempt = 0
			due, ok = v.plan.Next(n+1, d.due)
		}
		if v.policy.Interval != nil {
			due = due.Add(time.Duration(attempt) * *v.policy.Interval)
		}
	}
}

// free returns the parts of a time in which v could have been sent: it is due by the clock of the node that owns its
// partition, and that is green, has no lane of its app parked, and no delivery of the job out. While nobody owns the
// partition, it is for all nodes to be red.
func (s *story) free(v *version, due, from, to time.Duration) (all [][2]time.Duration) {
	if to-from <= firesWithin {
		return nil
	}
	w := watch{nodes: map[int]*watched{}, due: due}
	since, goesOn := from, false // all's last part has not ended
	for _, e := range s.events {
		if at := min(e.at, to); at > since {
			could := max(since, w.could())
			switch {
			case could >= at:
			case goesOn:
				all[len(all)-1][1] = at
			default:
				all = append(all, [2]time.Duration{could, at})
			}
			since, goesOn = at, could < at
		}
		if e.at > to {
			break
		}
		w.see(s, v, e)
		goesOn = goesOn && w.could() <= since
	}
	return all
}

// A watch is whether a job could be sent, as far as its scheduler is seen.
type watch struct {
	nodes map[int]*watched // that live
	owner *watched         // of the job's partition; nil if there is none
	due   time.Duration
}

// A watched is a life of a node.
type watched struct {
	host   string
	ahead  time.Duration // its clock
	green  bool
	parked int          // lanes of the job's app
	out    map[int]bool // deliveries of the job
}

// could returns from when on the job can be sent, if nothing changes.
func (w *watch) could() time.Duration {
	if w.owner != nil {
		if w.owner.green && w.owner.parked <= 0 && len(w.owner.out) == 0 {
			return w.due - w.owner.ahead
		}
		return never
	}
	from := w.due
	for _, n := range w.nodes {
		if !n.green {
			return never
		}
		from = max(from, w.due-n.ahead)
	}
	if len(w.nodes) == 0 {
		return never
	}
	return from
}

// see takes e into account.
func (w *watch) see(s *story, v *version, e event) {
	app, _, _ := strings.Cut(v.key, "/")
	n := w.nodes[e.life]
	switch e.what {
	case began:
		n = &watched{host: e.who, out: map[int]bool{}, ahead: s.ahead(e)}
		w.nodes[e.life] = n
		if !s.shared {
			w.owner = n
		}
	case stepped:
		for _, n := range w.nodes {
			if n.host == e.who {
				n.ahead = e.ahead
			}
		}
	default: // only of those who live
		if n != nil {
			w.look(n, v, app, e)
		}
	}
}

// look takes into account what a node does.
func (w *watch) look(n *watched, v *version, app string, e event) {
	switch e.what {
	case refused:
		if strings.HasPrefix(e.key, app+"/") {
			n.parked++
		}
	case room:
		if e.key == app {
			n.parked--
		}
	case delivered:
		if e.key == v.key {
			n.out[e.call] = true
		}
	case ended:
		delete(n.out, e.call)
	case health:
		n.green = e.text == ""
	case owns:
		if e.partition == v.partition {
			w.owner = n
		}
	case letsGo:
		if e.partition == v.partition && w.owner == n {
			w.owner = nil
		}
	case died:
		delete(w.nodes, e.life)
		if w.owner == n {
			w.owner = nil
		}
	default: // of no account
	}
}
