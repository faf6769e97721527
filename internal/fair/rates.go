package fair

import (
	"sync"
	"time"
)

// Rates limits how many units each key takes per second. A key that took none for a second may take a second's worth at
// once. Beyond that, Take reserves units for a later instant, in the order of the calls, and returns that instant. It is safe
// for concurrent use. Make it with [NewRates].
type Rates[K comparable] struct {
	perSecond float64

	mu    sync.Mutex // guards the fields below
	by    map[K]*account
	sweep int // how many accounts there may be until those are forgotten that say nothing
}

// An account is what a key may have as of at, less what it has been promised.
type account struct {
	credit float64
	at     time.Time
}

// minSweep is the least number of accounts that is worth a look.
const minSweep = 1024

// NewRates returns rates of which nothing has been taken. The figure is positive.
func NewRates[K comparable](perSecond float64) *Rates[K] {
	return &Rates[K]{perSecond: perSecond, by: make(map[K]*account), sweep: minSweep}
}

// Take takes n for k, and returns as of when k has them: now, or an instant in the future.
func (r *Rates[K]) Take(now time.Time, k K, n int) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.account(now, k)
	a.credit -= float64(n)
	if a.credit >= 0 {
		return now
	}
	return now.Add(time.Duration(-a.credit / r.perSecond * float64(time.Second)))
}

// Give takes n back that k has taken and has no use for.
func (r *Rates[K]) Give(k K, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.by[k]; a != nil { // otherwise it may have all there is
		a.credit += float64(n)
	}
}

// account returns that of k as of now. The caller holds mu.
func (r *Rates[K]) account(now time.Time, k K) *account {
	a := r.by[k]
	if a == nil {
		if len(r.by) >= r.sweep {
			for other, a := range r.by {
				if a.update(now, r.perSecond); a.credit >= r.burst() {
					delete(r.by, other)
				}
			}
			r.sweep = max(minSweep, 2*len(r.by))
		}
		a = &account{credit: r.burst(), at: now}
		r.by[k] = a
	}
	a.update(now, r.perSecond)
	a.credit = min(a.credit, r.burst())
	return a
}

func (r *Rates[K]) burst() float64 { return max(1, r.perSecond) }

// update adds what has come since. What comes is counted once, also if the clocks of several callers differ: an earlier
// instant than the latest adds nothing. A clock that was set back by more than a second counts from there on.
func (a *account) update(now time.Time, perSecond float64) {
	since := now.Sub(a.at)
	if since > 0 || since < -time.Second {
		a.credit += max(0, since.Seconds()) * perSecond
		a.at = now
	}
}
