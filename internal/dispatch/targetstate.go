package dispatch

import (
	"slices"
	"time"

	"carillon/internal/job"
)

// A route is what the dispatcher knows of one target.
type route struct {
	d      *Dispatcher
	target job.Target

	streams []*Stream   // that serve the target, in the order in which they connected
	next    int         // whose turn it is; their number means the first's, unless one more connects
	waiters []waiter    // one for each partition at most
	timer   *time.Timer // wakes the waiters; nil when it is not set
	gates   *gates      // nil if nobody limits the target
	needs   int         // bytes of a trigger that was refused for want of them; 0 if none was
}

// take puts t out with a stream that has room, or holds it if its gates say so. It reports whether it did either.
func (r *route) take(t job.Trigger, bytes int, done func(job.Outcome)) bool {
	if len(r.streams) > 0 && !r.d.payload.fits(r.target, bytes) {
		r.d.payload.refuse(r, bytes)
		return false
	}
	var at *gate
	if r.gates != nil && len(r.streams) > 0 && r.gates.limited() {
		at = r.gates.of(t)
		if full := at.closed(); full != nil {
			return r.hold(at, full, t, bytes, done)
		}
	}
	s := r.turn(bytes)
	if s == nil {
		return false
	}
	r.d.payload.take(r.target, bytes)
	s.take(t, bytes, done, at)
	return true
}

// hold has t wait at that gate, because of that full one. It reports whether there was room for one more.
func (r *route) hold(at, full *gate, t job.Trigger, bytes int, done func(job.Outcome)) bool {
	g, cfg := r.gates, &r.d.cfg
	if g.held > 0 && (g.held >= cfg.MaxHeld || g.bytes+bytes > cfg.MaxHeldBytes) {
		return false
	}
	at.hold(t, bytes, done)
	r.d.payload.take(r.target, bytes)
	r.d.held++
	r.d.throttled[full.label]++
	return true
}

// turn returns the stream that a trigger of that size goes to, and passes the turn on; nil if none has room.
func (r *route) turn(bytes int) *Stream {
	for i := range r.streams {
		at := (r.next + i) % len(r.streams)
		if s := r.streams[at]; s.fits(bytes) {
			r.next = at + 1
			return s
		}
	}
	return nil
}

// leave takes s out of the rotation.
func (r *route) leave(s *Stream) {
	i := slices.Index(r.streams, s)
	r.streams = slices.Delete(r.streams, i, i+1)
	if i < r.next {
		r.next--
	}
}

// A waiter is called when there may be room for the triggers of one partition.
type waiter struct {
	partition int
	room      func(n int)
}

// wait has room called when there may be some for the partition's triggers. It takes the place of what the partition
// had called before.
func (r *route) wait(partition int, room func(n int)) {
	r.withdraw(partition)
	r.waiters = append(r.waiters, waiter{partition, room})
	r.d.waiting++
}

// withdraw lets go of the partition's waiter, if it has one.
func (r *route) withdraw(partition int) {
	i := slices.IndexFunc(r.waiters, func(w waiter) bool { return w.partition == partition })
	if i >= 0 {
		r.waiters = slices.Delete(r.waiters, i, i+1)
		r.d.waiting--
	}
}

// tidy lets go of what is without use.
func (r *route) tidy() {
	if r.gates != nil && r.gates.idle() {
		r.gates = nil
	}
	if len(r.streams) == 0 && len(r.waiters) == 0 && r.gates == nil {
		r.d.payload.forget(r)
		delete(r.d.routes, r.target)
	}
}

// abandon returns what is held, eldest first, and holds it no longer: nobody is left who could take it.
func (r *route) abandon() []held {
	all := r.gates.releaseAll()
	for _, h := range all {
		r.d.sent(r.target, h.bytes)
	}
	r.d.held -= len(all)
	r.d.out -= len(all)
	r.d.tallies[r.target.Kind].undelivered += uint64(len(all))
	return all
}

// admit puts out what is held and may go, eldest first, and then appends the calls that wake r's waiters if there is
// room for them.
func (r *route) admit(calls []wakeUp) []wakeUp {
	if r.gates != nil {
		r.admitHeld()
	}
	return r.wakeSome(calls)
}

func (r *route) admitHeld() {
	for r.gates.held > 0 {
		at := r.gates.eldest()
		if at == nil {
			return
		}
		s := r.turn(at.line.Front().bytes)
		if s == nil {
			return
		}
		h := r.gates.release(at)
		r.d.held--
		s.take(h.t, h.bytes, h.done, at)
	}
}

// free returns about how many triggers the streams of r have room for together.
func (r *route) free() int {
	n := 0
	for _, s := range r.streams {
		n += s.free()
	}
	if r.gates != nil {
		n = min(n, left(r.gates.held, r.d.cfg.MaxHeld, r.gates.bytes, r.d.cfg.MaxHeldBytes))
	}
	if r.needs > 0 && !r.d.payload.fits(r.target, r.needs) {
		return 0
	}
	return n
}

// wakeSome appends the calls that wake r's waiters if there is room for each of them. If there is room for some only,
// it sees to it that they are woken a little later.
func (r *route) wakeSome(calls []wakeUp) []wakeUp {
	if len(r.waiters) == 0 {
		return calls
	}
	if free := r.free(); free >= len(r.waiters) {
		return r.wakeAll(calls, free)
	}
	if r.timer == nil {
		r.timer = time.AfterFunc(wakeDelay, r.wakeLate)
	}
	return calls
}

// wakeLate is called by the timer.
func (r *route) wakeLate() {
	var calls []wakeUp
	r.d.mu.Lock()
	r.timer = nil
	if free := r.free(); free > 0 { // or else the next place that comes free wakes them
		calls = r.wakeAll(calls, free)
	}
	r.d.mu.Unlock()
	call(calls)
}

func (r *route) wakeAll(calls []wakeUp, free int) []wakeUp {
	if len(r.waiters) == 0 {
		return calls
	}
	share := max(1, free/len(r.waiters))
	for _, w := range r.waiters {
		calls = append(calls, wakeUp{w.room, share})
	}
	r.d.waiting -= len(r.waiters)
	r.waiters = nil
	if r.timer != nil {
		r.timer.Stop() // if it fires all the same, it finds nobody to wake, or wakes somebody a little early
		r.timer = nil
	}
	return calls
}

// A wakeUp is a call that is made when d.mu is free again.
type wakeUp struct {
	room  func(n int)
	share int
}

func call(calls []wakeUp) {
	for _, c := range calls {
		c.room(c.share)
	}
}
