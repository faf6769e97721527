package simulate_test

import (
	"math"
	"slices"
	"strings"
	"time"

	"carillon/internal/job"
	"carillon/internal/when"
)

// A story is what a history says, put together for those who check it. What happened at a place of the history is known
// by its number there.
type story struct {
	began    time.Time
	events   []event
	calls    []*call    // of users, in the order in which they were made
	versions []*version // of jobs, in the order of their numbers
	lives    []*life    // of the scheduler

	shared     bool            // the scheduler has several nodes
	ownerships map[int][]event // of each partition: who owns it, and lets go of it

	steps map[string][]event // of the clock of each host

	byNumber map[int]*version
	byLife   map[int]*life
}

// A call is what a user asked for.
type call struct {
	event // when it was asked
	heard event
	until int // where the history is when it has surely been done, or never will be
}

// A version is what one schedule call asked for.
type version struct {
	*call
	reached    []event // an engine, which resolved it
	partition  int
	plan       when.Plan
	policy     job.Policy
	deliveries []*delivery
	arrivals   []*arrival
}

// A delivery is a trigger that left the engine.
type delivery struct {
	event
	version *version
	life    *life
	end     event // what is ended says how; its place is that of the life's end if there was no outcome before
	settled bool  // there was one
}

// An arrival is a trigger at an app.
type arrival struct {
	event
	left event
}

// A life is one of the scheduler's.
type life struct {
	began, died event
	commits     []span // to the store
	errors      []event
	health      []event
}

// A span is a part of the history.
type span struct{ from, to event }

const never = math.MaxInt

func tell(h *history) *story {
	s := &story{
		began: h.began, events: h.all(), byNumber: map[int]*version{}, byLife: map[int]*life{}, ownerships: map[int][]event{},
		steps: map[string][]event{},
	}
	last := event{seq: never, at: math.MaxInt64}
	asks, deliveries, arrivals := map[int]*call{}, map[int]*delivery{}, map[int]*arrival{}
	open := map[int]int{} // commits, of their lives
	for _, e := range s.events {
		switch e.what {
		case asked:
			c := &call{event: e, heard: last, until: never}
			asks[e.call], s.calls = c, append(s.calls, c)
			if e.op == schedule {
				v := &version{call: c}
				s.versions, s.byNumber[e.version] = append(s.versions, v), v
			}
		case answered:
			asks[e.call].heard = e
		case resolved:
			if v := s.byNumber[e.version]; v != nil && v.key == e.key {
				v.reached, v.plan, v.policy, v.partition = append(v.reached, e), e.plan, e.policy, e.partition
			}
		case delivered:
			d := &delivery{event: e, version: s.byNumber[e.version], life: s.byLife[e.life], end: last}
			deliveries[e.call] = d
			if d.version != nil {
				d.version.deliveries = append(d.version.deliveries, d)
			}
		case ended:
			if d := deliveries[e.call]; d != nil {
				d.end, d.settled = e, true
			}
		case arrived:
			a := &arrival{event: e, left: last}
			arrivals[e.call] = a
			if v := s.byNumber[e.version]; v != nil {
				v.arrivals = append(v.arrivals, a)
			}
		case left:
			arrivals[e.call].left = e
		case began:
			l := &life{began: e, died: last}
			s.lives, s.byLife[e.life] = append(s.lives, l), l
		case died:
			s.byLife[e.life].died = e
		case commits:
			l := s.byLife[e.life]
			open[e.call] = len(l.commits)
			l.commits = append(l.commits, span{e, last})
		case committed:
			l := s.byLife[e.life]
			l.commits[open[e.call]].to = e
			if e.text != "" {
				l.errors = append(l.errors, e)
			}
		case owns, letsGo:
			s.shared, s.ownerships[e.partition] = true, append(s.ownerships[e.partition], e)
		case unread:
			s.byLife[e.life].errors = append(s.byLife[e.life].errors, e)
		case health:
			s.byLife[e.life].health = append(s.byLife[e.life].health, e)
		case stepped:
			s.steps[e.who] = append(s.steps[e.who], e)
		case refused, room, fault:
		}
	}
	for _, d := range deliveries {
		if !d.settled || d.life.died.seq < d.end.seq && d.end.outcome == job.Lost {
			d.settled, d.end = false, d.life.died
		}
	}
	for _, c := range s.calls {
		c.until = s.until(c)
	}
	return s
}

// until returns where c has surely been done, or never will be. A call without an answer may be
// carried out as long as the scheduler lives that it may have reached.
func (s *story) until(c *call) int {
	if c.heard.result != unknown {
		return c.heard.seq
	}
	if s.shared { // what was sent on may arrive at any time
		return never
	}
	end := c.heard.seq
	for _, l := range s.lives {
		if l.began.seq < c.heard.seq {
			end = max(end, l.died.seq)
		}
	}
	return end
}

// replacedFrom returns from where on v may have been replaced or deleted; never if it was not.
func (s *story) replacedFrom(v *version) int {
	from := never
	for _, c := range s.calls {
		if c != v.call && c.until > v.seq && c.mayEnd(v.key) {
			from = min(from, max(c.seq, v.seq))
		}
	}
	return from
}

// mayEnd reports whether c may have replaced or deleted what was there under a key.
func (c *call) mayEnd(key string) bool {
	if c.heard.result != done && c.heard.result != unknown {
		return false
	}
	switch c.op {
	case schedule:
		return c.key == key && c.overwrite
	case remove:
		return c.key == key
	case removeAll:
		return strings.HasPrefix(key, c.key+"/")
	default:
		return false
	}
}

// ownershipEnd returns where the part of the history ends for which the node of d had its partition
// when d left, if it had; never if it lasts. A node alone has all of them for life.
func (s *story) ownershipEnd(d *delivery) (until event, had bool) {
	until, had = d.life.died, !s.shared
	for _, e := range s.ownerships[d.partition] {
		switch {
		case e.seq < d.seq && e.what == owns:
			had = e.life == d.event.life
		case e.seq < d.seq && e.life == d.event.life:
			had = false
		case e.seq > d.seq && (e.what == letsGo) == (e.life == d.event.life) && e.seq < until.seq:
			until = e // it lets go, or another owns it
		}
	}
	return until, had
}

// keys returns the keys of all jobs that anybody asked for.
func (s *story) keys() []string {
	var all []string
	for _, c := range s.calls {
		if c.op != list && c.op != removeAll {
			all = append(all, c.key)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ahead is by how much the clock of a life's host was ahead where e is in the history.
func (s *story) ahead(e event) time.Duration {
	ahead := time.Duration(0)
	for _, step := range s.steps[s.byLife[e.life].began.who] {
		if step.seq < e.seq {
			ahead = step.ahead
		}
	}
	return ahead
}

// turnTime is how long a node of a cluster may have read since it saw that something is due, when
// it sends that: it waits for as long for each of a few answers.
const turnTime = 5 * requestTimeout

// allowed is by how much before its due instant a delivery may leave: as much as its node's clock
// is ahead. It is due if it was so when the clock was read, though the clock may have been stepped
// back since.
func (s *story) allowed(d *delivery) time.Duration {
	most := s.ahead(d.event)
	if s.shared {
		for _, step := range s.steps[d.life.began.who] {
			if step.seq < d.seq && d.at-step.at < turnTime {
				most = max(most, s.ahead(event{life: d.event.life, seq: step.seq}))
			}
		}
	}
	return most
}

// at is an instant as an instant of the world.
func (s *story) at(t time.Time) time.Duration { return t.Sub(s.began) }

// A finding is something that a checker objects to.
type finding struct {
	checker string
	key     string // of the job; empty if it is not about one
	text    string
}

// checkers are all there are, by the names of their promises.
var checkers = map[string]func(*story, func(key, format string, args ...any)){
	"early": checkEarly, "lost": checkLost, "occurrences": checkOccurrences, "duplicates": checkDuplicates,
	"single": checkSingle, "limit": checkLimit, "silent": checkSilent, "linear": checkLinear, "health": checkHealth,
	"turns": checkTurns,
}
