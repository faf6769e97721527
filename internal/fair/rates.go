package fair

import (
	"sync"
	"time"
)

// Rates limits how many units a second each key uses: a token bucket for each key. Its burst is the
// units of one second. Beyond that, Reserve reserves units of a later instant, in the order of the
// calls. It is safe for concurrent use. Use [NewRates] to create one.
type Rates[K comparable] struct {
	perSecond float64

	mu    sync.Mutex // guards the fields below
	by    map[K]*bucket
	sweep int // the number of buckets at which the full ones are deleted
}

// A bucket is the token bucket of one key, as of at. It is negative by what was reserved of the
// future.
type bucket struct {
	tokens float64
	at     time.Time
}

// minSweep is the smallest value of sweep.
const minSweep = 1024

// NewRates returns rates with full buckets. perSecond is positive.
func NewRates[K comparable](perSecond float64) *Rates[K] {
	return &Rates[K]{perSecond: perSecond, by: make(map[K]*bucket), sweep: minSweep}
}

// Reserve reserves n units for k, and returns when k may use them: now, or a later instant.
func (r *Rates[K]) Reserve(now time.Time, k K, n int) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bucket(now, k)
	b.tokens -= float64(n)
	if b.tokens >= 0 {
		return now
	}
	return now.Add(time.Duration(-b.tokens / r.perSecond * float64(time.Second)))
}

// Cancel returns n units that k has reserved and does not use.
func (r *Rates[K]) Cancel(k K, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.by[k]; b != nil { // otherwise its bucket is full
		b.tokens += float64(n)
	}
}

// bucket returns the bucket of k as of now. The caller holds mu.
func (r *Rates[K]) bucket(now time.Time, k K) *bucket {
	b := r.by[k]
	if b == nil {
		if len(r.by) >= r.sweep {
			for other, b := range r.by {
				if b.update(now, r.perSecond); b.tokens >= r.burst() {
					delete(r.by, other)
				}
			}
			r.sweep = max(minSweep, 2*len(r.by))
		}
		b = &bucket{tokens: r.burst(), at: now}
		r.by[k] = b
	}
	b.update(now, r.perSecond)
	b.tokens = min(b.tokens, r.burst())
	return b
}

func (r *Rates[K]) burst() float64 { return max(1, r.perSecond) }

// update adds the tokens of the time since the last update. The clocks of callers may differ: an
// instant before the last update adds none, so that no time counts twice. A clock that was set back
// by more than a second counts from its new time.
func (b *bucket) update(now time.Time, perSecond float64) {
	since := now.Sub(b.at)
	if since > 0 || since < -time.Second {
		b.tokens += max(0, since.Seconds()) * perSecond
		b.at = now
	}
}
