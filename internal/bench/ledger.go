package bench

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"
)

// ledger records deliveries. It is safe for concurrent use.
type ledger struct {
	want int           // number of deliveries that complete it
	full chan struct{} // closed once it is complete

	mu      sync.Mutex
	entries []ledgerEntry // guarded by mu
}

// A ledgerEntry is one delivery.
type ledgerEntry struct {
	job int // -1 if the name is not a number
	at  time.Time
}

func newLedger(want int) *ledger {
	return &ledger{want: want, full: make(chan struct{}), entries: make([]ledgerEntry, 0, want)}
}

// add records the delivery of a job.
func (l *ledger) add(name string, at time.Time) {
	number, err := strconv.Atoi(name)
	if err != nil || number < 0 {
		number = -1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, ledgerEntry{number, at})
	if len(l.entries) == l.want {
		close(l.full)
	}
}

// last returns the number of deliveries, and the instant of the last one.
func (l *ledger) last() (n int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		return 0, time.Time{}
	}
	return len(l.entries), l.entries[len(l.entries)-1].at
}

// latest returns the name of the job that was delivered last.
func (l *ledger) latest() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		return "0"
	}
	return strconv.Itoa(l.entries[len(l.entries)-1].job)
}

// wait returns when the ledger is complete, or when nothing was delivered for the time patience
// after the instant from. It returns an error when ctx ends.
func (l *ledger) wait(ctx context.Context, from time.Time, patience time.Duration) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.full:
			return nil
		case now := <-tick.C:
			if _, at := l.last(); now.Sub(from) > patience && now.Sub(at) > patience {
				return nil
			}
		}
	}
}

// perJob returns the ordered instants of the deliveries of each job, and the number of deliveries
// of unknown jobs.
func (l *ledger) perJob(jobs int) (at [][]time.Time, unknown int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at = make([][]time.Time, jobs)
	for _, e := range l.entries {
		if e.job < 0 || e.job >= jobs {
			unknown++
			continue
		}
		at[e.job] = append(at[e.job], e.at)
	}
	for _, times := range at {
		slices.SortFunc(times, time.Time.Compare)
	}
	return at, unknown
}

// count compares the deliveries with those expected. A trigger does not say which occurrence it is
// of: the first delivery of a job counts as its first occurrence.
func (l *ledger) count(p expectation) Count {
	c := Count{Want: p.jobs * p.times}
	at, unknown := l.perJob(p.jobs)
	c.Unknown = unknown
	for job, times := range at {
		distinct := min(len(times), p.times)
		c.Distinct += distinct
		c.Lost += p.times - distinct
		c.Duplicates += len(times) - distinct
		for k := range distinct {
			if times[k].Before(p.due(job, k)) {
				c.Early++
			}
		}
	}
	return c
}

// lateness returns the lateness of each delivered occurrence, in no particular order.
func (l *ledger) lateness(p expectation) []time.Duration {
	late := make([]time.Duration, 0, p.jobs*p.times)
	at, _ := l.perJob(p.jobs)
	for job, times := range at {
		for k := range min(len(times), p.times) {
			late = append(late, times[k].Sub(p.due(job, k)))
		}
	}
	return late
}
