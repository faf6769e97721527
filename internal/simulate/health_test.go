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

// checkHealth holds that a scheduler that has stopped firing says so: while it is green, and somebody has room, nothing
// that is due waits for long; and while a commit hangs it is red. And when all is well, it is green. Whether what is due
// waits for long is not looked at in a cluster, where a green node may own none of it.
func checkHealth(s *story, find func(key, format string, args ...any)) {
	for _, v := range s.versions {
		if v.heard.result == done && len(v.reached) > 0 && !s.shared {
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
		green := last.green()
		if n := len(green); n == 0 || green[n-1][0] > calm+grace || green[n-1][1] < end {
			find("", "all is well since %v, and node %d is not healthy since %v", calm, last.began.life, calm+grace)
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
	_, ok := v.plan.Next(0, time.Time{})
	owed := max(s.at(v.plan.First), v.heard.at)
	n := uint32(0)
	last := v.plan.First
	for _, d := range append(v.deliveries, nil) {
		to := until
		if d != nil {
			to = min(until, d.at)
		}
		if ok && to-owed > firesWithin {
			for _, free := range s.free(v.key, owed, to) {
				if d := free[1] - free[0]; d > firesWithin {
					find(v.key, "v%d is owed since %v, and from %v to %v the scheduler is green, has room for it, and does not send it",
						v.number(), owed, free[0], free[1])
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
		owed, ok = d.end.at, true
		switch {
		case !d.settled || d.end.outcome == job.Lost:
		case d.end.outcome == job.Failed && !d.final():
			if v.policy.Interval != nil {
				owed = max(owed, s.at(d.due)+time.Duration(d.attempt+1)**v.policy.Interval)
			}
		default:
			var next time.Time
			if next, ok = v.plan.Next(n+1, d.due); ok {
				owed = max(owed, s.at(next))
			}
		}
	}
}

// free returns the parts of a time in which the job of a key could have been sent: the scheduler is green, no lane of its
// app is parked, and no delivery of the key is out.
func (s *story) free(key string, from, to time.Duration) [][2]time.Duration {
	app, _, _ := strings.Cut(key, "/")
	var all [][2]time.Duration
	since := time.Duration(-1) // negative: it cannot
	parked, out, green := 0, map[int]bool{}, false
	for _, e := range s.events {
		if e.at > to {
			break
		}
		switch e.what {
		case refused:
			if strings.HasPrefix(e.key, app+"/") {
				parked++
			}
		case room:
			if e.key == app {
				parked--
			}
		case delivered:
			if e.key == key {
				out[e.call] = true
			}
		case ended:
			delete(out, e.call)
		case health:
			green = e.text == ""
		case died:
			green, parked = false, 0
			clear(out)
		default:
			continue
		}
		could := green && parked <= 0 && len(out) == 0
		switch {
		case could && since < 0:
			since = max(e.at, from)
		case !could && since >= 0:
			if e.at > since {
				all = append(all, [2]time.Duration{since, e.at})
			}
			since = -1
		}
	}
	if since >= 0 && to > since {
		all = append(all, [2]time.Duration{since, to})
	}
	return all
}
