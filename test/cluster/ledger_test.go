//go:build linux

package cluster

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A ledger holds what was acknowledged against what came. It is safe for concurrent use.
type ledger struct {
	mu         sync.Mutex // guards the fields below
	jobs       map[string]*entry
	disturbed  []disturbance
	complaints []string
}

// An entry is a job.
type entry struct {
	due   time.Time
	every time.Duration // between its occurrences
	times int           // how many there are; 0 in a job that is never due in a test's life
	acked time.Time     // zero if it is not acknowledged
	gone  bool          // a deletion has begun
	never bool          // and was told that it is deleted
	got   []delivery
}

// A delivery is a trigger as it came.
type delivery struct {
	at   time.Time
	node string // from which; empty if that is not known
}

// A disturbance is a time for which a node was kept from what it is there for.
type disturbance struct {
	node     string
	from, to time.Time // to is zero while it lasts
}

func newLedger() *ledger { return &ledger{jobs: map[string]*entry{}} }

// plan records a job before it is scheduled. ack acknowledges it.
func (l *ledger) plan(name string, due time.Time, every time.Duration, times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs[name] = &entry{due: due, every: every, times: times}
}

func (l *ledger) ack(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs[name].acked = time.Now()
}

// forget notes that a job is about to be deleted.
func (l *ledger) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs[name].gone = true
}

// forgotten notes that it was deleted.
func (l *ledger) forgotten(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs[name].never = true
}

// deliver notes a trigger.
func (l *ledger) deliver(name, node string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.jobs[name]
	if e == nil {
		l.complaints = append(l.complaints, "a trigger of a job that nobody has scheduled: "+name)
		return
	}
	e.got = append(e.got, delivery{at, node})
}

func (l *ledger) complain(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.complaints = append(l.complaints, fmt.Sprintf(format, args...))
}

// disturb notes that something is about to be done to the node; settle, that it is over. A process that has gone has
// nothing out.
func (l *ledger) disturb(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.disturbed = append(l.disturbed, disturbance{node: node, from: time.Now()})
}

func (l *ledger) settle(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.disturbed {
		if d := &l.disturbed[i]; d.node == node && d.to.IsZero() {
			d.to = time.Now()
		}
	}
}

// missing returns how many occurrences of acknowledged jobs are owed and have not come, and one of the jobs.
func (l *ledger) missing() (n int, such string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, e := range l.jobs {
		if owed := e.times - len(e.got); owed > 0 && !e.acked.IsZero() && !e.gone {
			n += owed
			such = fmt.Sprintf("%s, due %v, acknowledged %v, %d of %d", name, e.due, e.acked, len(e.got), e.times)
		}
	}
	return n, such
}

// latest returns by how much the latest came of what was due once, from one instant to another: after it was due, and
// after it was acknowledged. What has not come counts as if it came now.
func (l *ledger) latest(from, to time.Time) (late time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.jobs {
		if e.times != 1 || e.acked.IsZero() || e.gone || e.due.Before(from) || e.due.After(to) {
			continue
		}
		at := time.Now()
		if len(e.got) > 0 {
			at = e.got[0].at
		}
		since := e.due
		if e.acked.After(since) {
			since = e.acked
		}
		late = max(late, at.Sub(since))
	}
	return late
}

// A verdict is what the ledger finds in the end.
type verdict struct {
	acked, unsure, delivered, lost, early, again int
	out                                          int // that disturbances may have delivered again
	bad                                          []string
}

func (v verdict) String() string {
	return fmt.Sprintf("%d jobs acknowledged, %d not known, %d occurrences came, %d lost, %d early, %d came again, of up to %d that were out at a disturbance",
		v.acked, v.unsure, v.delivered, v.lost, v.early, v.again, v.out)
}

// outFor is how long before a disturbance a trigger may have been delivered whose outcome was not recorded yet: so long
// a commit may take before it is given up, and a bit.
const outFor = 6 * time.Second

// judge compares.
func (l *ledger) judge() (v verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v.bad = append(v.bad, l.complaints...)
	for name, e := range l.jobs {
		if e.acked.IsZero() {
			v.unsure++
		} else {
			v.acked++
		}
		slices.SortFunc(e.got, func(a, b delivery) int { return a.at.Compare(b.at) })
		distinct := min(len(e.got), e.times)
		again := len(e.got) - distinct
		v.delivered += distinct
		v.again += again
		if e.times > 0 && !e.acked.IsZero() && !e.gone {
			if distinct < e.times {
				v.lost += e.times - distinct
				v.bad = append(v.bad, fmt.Sprintf("%s was due %v and acknowledged %v, and came %d times of %d", name, e.due, e.acked, distinct, e.times))
			}
		}
		for i, d := range e.got {
			if early, by := before(d.at, e.due.Add(time.Duration(max(0, i-again))*e.every)); early {
				v.early++
				v.bad = append(v.bad, fmt.Sprintf("%s came from %s %v early", name, d.node, by))
			}
			if l.wasOut(d) {
				v.out++
			}
		}
	}
	return v
}

// before reports whether at is before due by the clock on the wall, by which jobs are due, and by the other one: that
// one knows of no steps, which some machines' clocks make all the time.
func before(at, due time.Time) (early bool, by time.Duration) {
	return at.Before(due) && at.Round(0).Before(due.Round(0)), due.Round(0).Sub(at.Round(0))
}

// wasOut reports whether d may have been out when its node was disturbed. It is called with mu held.
func (l *ledger) wasOut(d delivery) bool {
	return slices.ContainsFunc(l.disturbed, func(x disturbance) bool {
		return (d.node == "" || x.node == d.node) && d.at.After(x.from.Add(-outFor)) && (x.to.IsZero() || d.at.Before(x.to.Add(outFor)))
	})
}

// firedBetween returns how many triggers came from the node between two instants that were due since another, and that
// another node had delivered before.
func (l *ledger) firedBetween(node string, from, to, due time.Time) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.jobs {
		if e.times != 1 || e.due.Before(due) || len(e.got) < 2 {
			continue
		}
		for i, d := range e.got {
			other := slices.ContainsFunc(e.got[:i], func(b delivery) bool { return b.node != node })
			if d.node == node && d.at.After(from) && d.at.Before(to) && other {
				n++
			}
		}
	}
	return n
}

// came returns how many triggers have come since, from any node or from that one.
func (l *ledger) came(since time.Time, node string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.jobs {
		for _, d := range e.got {
			if d.at.After(since) && (node == "" || d.node == node) {
				n++
			}
		}
	}
	return n
}

// times returns how often the job has come since.
func (l *ledger) times(name string, since time.Time) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.jobs[name].got {
		if d.at.After(since) {
			n++
		}
	}
	return n
}

// stored returns the names, beginning so, of the jobs that must be stored in the end, and of those that may be.
func (l *ledger) stored(prefix string) (must, may map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	must, may = map[string]bool{}, map[string]bool{}
	for name, e := range l.jobs {
		switch {
		case !strings.HasPrefix(name, prefix):
		case e.times == 0 && !e.acked.IsZero() && !e.gone:
			must[name] = true
		case e.acked.IsZero() || e.times == 0 && !e.never:
			may[name] = true
		}
	}
	return must, may
}
