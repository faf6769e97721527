package dispatch

import (
	"slices"
	"time"

	"carillon/internal/fair"
	"carillon/internal/job"
)

// guaranteedPayload is how many bytes of payload a target may have waiting to be sent whatever others have.
const guaranteedPayload = 32 << 10

// A payload is the bytes of triggers that were taken and have not been sent: a receiver that takes nothing holds them in
// memory. What has been sent is the receiver's to keep. Targets share the bytes fairly. Its fields are guarded by d.mu.
type payload struct {
	pool    *fair.Pool[job.Target]
	large   map[job.Target]bool // whose one trigger that waits is larger than its share
	refused []*route            // for want of bytes; they are woken when there are some
	timer   *time.Timer         // wakes them; nil when it is not set
}

func newPayload(limit int) payload {
	return payload{pool: fair.NewPool[job.Target](limit, guaranteedPayload), large: map[job.Target]bool{}}
}

// fits reports whether a target may have so many bytes more. A trigger that is larger than the share of its target goes when
// nothing else of it waits to be sent, as one of a few: it is sent soon if its receiver takes it.
func (p *payload) fits(t job.Target, bytes int) bool {
	return bytes <= p.pool.Room(t) || p.pool.HeldBy(t) == 0 && len(p.large) < maxLarge
}

// maxLarge is how many triggers may wait to be sent that are larger than the share of their target.
const maxLarge = 4

// take counts a trigger that fits.
func (p *payload) take(t job.Target, bytes int) {
	if bytes > p.pool.Room(t) { // it went in spite of its share
		p.large[t] = true
	}
	p.pool.Take(t, bytes)
}

// refuse has r woken when there are bytes again, for triggers of about that size.
func (p *payload) refuse(r *route, bytes int) {
	if r.needs == 0 {
		p.refused = append(p.refused, r)
	}
	r.needs = max(1, bytes)
}

// forget has r woken no more: it is without use.
func (p *payload) forget(r *route) {
	if r.needs > 0 {
		p.refused = slices.DeleteFunc(p.refused, func(other *route) bool { return other == r })
	}
}

// sent gives back the bytes of a trigger that has been sent, or is not going to be.
func (d *Dispatcher) sent(t job.Target, bytes int) {
	d.payload.pool.Give(t, bytes)
	if d.payload.pool.HeldBy(t) == 0 {
		delete(d.payload.large, t)
	}
	if len(d.payload.refused) > 0 && d.payload.timer == nil {
		d.payload.timer = time.AfterFunc(wakeDelay, d.wakeRefused)
	}
}

// wakeRefused is called by the timer.
func (d *Dispatcher) wakeRefused() {
	var calls []wakeUp
	d.mu.Lock()
	p := &d.payload
	p.timer = nil
	p.refused = slices.DeleteFunc(p.refused, func(r *route) bool {
		if !p.fits(r.target, r.needs) {
			return false
		}
		r.needs = 0
		calls = r.wakeSome(calls)
		return true
	})
	d.mu.Unlock()
	call(calls)
}
