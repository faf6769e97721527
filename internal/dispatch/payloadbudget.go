package dispatch

import (
	"slices"
	"time"

	"carillon/internal/fair"
	"carillon/internal/job"
)

// A payloadBudget limits the bytes of accepted triggers that are not sent yet. They occupy this
// node's memory while a receiver takes nothing; bytes that were sent do not count. Targets share
// the budget fairly.
type payloadBudget struct {
	pool    *fair.Pool[job.Target]
	large   map[job.Target]bool // targets whose only unsent trigger is larger than their share
	refused []*payloadRefusal   // the first refused first

	wakeRefused func()      // calls popFitting and wakes those targets; the timer calls it
	timer       *time.Timer // nil when it is not set
}

// A payloadRefusal says for how many bytes a target waits.
type payloadRefusal struct {
	target job.Target
	bytes  int // of the trigger that was refused last; 0 if the target does not wait
}

// guaranteedPayload is how many unsent bytes a target may have, whatever others have.
const guaranteedPayload = 32 << 10

// maxLarge is how many unsent triggers may be larger than the share of their target.
const maxLarge = 4

func newPayloadBudget(limit int, wakeRefused func()) payloadBudget {
	return payloadBudget{
		pool:  fair.NewPool[job.Target](limit, guaranteedPayload),
		large: map[job.Target]bool{}, wakeRefused: wakeRefused,
	}
}

// fits reports whether the budget admits that many more bytes of a target. It admits a trigger that
// is larger than the share of its target if nothing else of the target is unsent and maxLarge
// allows it.
func (p *payloadBudget) fits(t job.Target, bytes int) bool {
	return bytes <= p.pool.Available(t) || p.pool.HeldBy(t) == 0 && len(p.large) < maxLarge
}

// acquire counts a trigger that fits.
func (p *payloadBudget) acquire(t job.Target, bytes int) {
	if bytes > p.pool.Available(t) { // larger than its share
		p.large[t] = true
	}
	p.pool.Acquire(t, bytes)
}

// release returns the bytes of a trigger that was sent, or never will be. If targets wait for
// bytes, they are woken a little later.
func (p *payloadBudget) release(t job.Target, bytes int) {
	p.pool.Release(t, bytes)
	if p.pool.HeldBy(t) == 0 {
		delete(p.large, t)
	}
	if len(p.refused) > 0 && p.timer == nil {
		p.timer = time.AfterFunc(wakeDelay, p.wakeRefused)
	}
}

// refuse registers the target of r to be woken when bytes for a trigger of this size are free.
func (p *payloadBudget) refuse(r *payloadRefusal, bytes int) {
	if r.bytes == 0 {
		p.refused = append(p.refused, r)
	}
	r.bytes = max(1, bytes)
}

// forget drops the refusal of a target that is no longer in use.
func (p *payloadBudget) forget(r *payloadRefusal) {
	if r.bytes > 0 {
		p.refused = slices.DeleteFunc(p.refused, func(other *payloadRefusal) bool { return other == r })
	}
}

// popFitting removes the refusals of targets for which bytes are free, and yields each target.
func (p *payloadBudget) popFitting(yield func(job.Target)) {
	p.timer = nil
	p.refused = slices.DeleteFunc(p.refused, func(r *payloadRefusal) bool {
		if !p.fits(r.target, r.bytes) {
			return false
		}
		r.bytes = 0
		yield(r.target)
		return true
	})
}
