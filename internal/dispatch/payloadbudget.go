package dispatch

import (
	"slices"

	"carillon/internal/fair"
	"carillon/internal/job"
)

// A payloadBudget limits the bytes of accepted triggers that are not sent yet. They occupy this
// node's memory while a receiver takes nothing; bytes that were sent do not count. Targets share
// the budget fairly. The mutex of the dispatcher guards it.
type payloadBudget struct {
	pool    *fair.Pool[job.Target]
	large   map[job.Target]bool // targets whose only unsent trigger is larger than their share
	refused []*targetState      // refused for lack of bytes; they are woken when bytes are free
}

// guaranteedPayload is how many unsent bytes a target may have, whatever others have.
const guaranteedPayload = 32 << 10

// maxLarge is how many unsent triggers may be larger than the share of their target.
const maxLarge = 4

func newPayloadBudget(limit int) payloadBudget {
	return payloadBudget{pool: fair.NewPool[job.Target](limit, guaranteedPayload), large: map[job.Target]bool{}}
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

// release returns the bytes of a trigger that was sent, or never will be.
func (p *payloadBudget) release(t job.Target, bytes int) {
	p.pool.Release(t, bytes)
	if p.pool.HeldBy(t) == 0 {
		delete(p.large, t)
	}
}

// refuse registers r to be woken when bytes for a trigger of this size are free.
func (p *payloadBudget) refuse(r *targetState, bytes int) {
	if r.needs == 0 {
		p.refused = append(p.refused, r)
	}
	r.needs = max(1, bytes)
}

// forget drops a target that is no longer in use.
func (p *payloadBudget) forget(r *targetState) {
	if r.needs > 0 {
		p.refused = slices.DeleteFunc(p.refused, func(other *targetState) bool { return other == r })
	}
}

// popFitting removes the refused targets for which bytes are free, and yields each.
func (p *payloadBudget) popFitting(yield func(*targetState)) {
	p.refused = slices.DeleteFunc(p.refused, func(r *targetState) bool {
		if !p.fits(r.target, r.needs) {
			return false
		}
		r.needs = 0
		yield(r)
		return true
	})
}
