package dispatch

import (
	"slices"
	"time"

	"carillon/internal/job"
)

// A Dispatcher delivers triggers to the streams that serve their targets. It is safe for concurrent
// use.
type Dispatcher struct {
	cfg    Config
	shared *sharedState // whose mutex guards the fields below

	targets   map[job.Target]*targetState
	connected uint64 // streams that have connected so far
	labels    labels // of semaphores
	share     Share  // of concurrency limits
}

// New returns a dispatcher without streams.
func New(cfg Config) *Dispatcher {
	cfg = cfg.withDefaults()
	d := &Dispatcher{
		cfg: cfg, shared: &sharedState{throttled: make(map[string]uint64)},
		targets: make(map[job.Target]*targetState), labels: make(labels), share: Share{Nodes: 1},
	}
	d.shared.payload = newPayloadBudget(cfg.MaxPayload, d.wakeRefused)
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(newMetrics(d.shared, d.targets))
	}
	return d
}

// Connected reports whether a stream is connected that serves the target.
func (d *Dispatcher) Connected(target job.Target) bool {
	d.shared.mu.Lock()
	defer d.shared.mu.Unlock()
	t := d.targets[target]
	return t != nil && len(t.streams) > 0
}

// HasCapacity reports whether a stream that serves the target would take a small trigger now. It
// does not consider concurrency limits.
func (d *Dispatcher) HasCapacity(target job.Target) bool {
	const bytes = 1
	d.shared.mu.Lock()
	defer d.shared.mu.Unlock()
	t := d.targets[target]
	return t != nil && d.shared.payload.fits(target, bytes) &&
		slices.ContainsFunc(t.streams, func(s *streamState) bool { return s.budget.fits(bytes) })
}

// Stats returns a snapshot of d.
func (d *Dispatcher) Stats() Stats {
	d.shared.mu.Lock()
	defer d.shared.mu.Unlock()
	now := d.shared.counts
	now.Targets = len(d.targets)
	return now
}

// Deliver accepts t without blocking and reports whether it did. It accepts a trigger for which a
// stream has capacity, and holds one whose [ConcurrencyLimit] is used up.
//
// If t is accepted, done is called exactly once, from another goroutine, when the attempt has
// ended. If t is refused, wake is called once, from another goroutine, when there may be capacity,
// with a fair share (at least 1) of the number of triggers for which there is. It is not called if
// another trigger of the same target and partition is refused first, or after
// [Dispatcher.Withdraw]. Neither may block.
//
// So there is one waiter at most for each partition and target, however often they are refused.
func (d *Dispatcher) Deliver(t job.Trigger, done func(job.Outcome), wake func(n int)) (accepted bool) {
	bytes := size(t)
	d.shared.mu.Lock()
	defer d.shared.mu.Unlock()
	target := d.target(t.Key.Target)
	if target.accept(t, bytes, done) {
		d.shared.counts.InFlight++
		return true
	}
	if len(target.streams) == 0 {
		d.shared.tallies[t.Key.Target.Kind].undelivered++
	}
	target.waiters.wait(t.Partition, wake)
	return false
}

// Withdraw removes the waiter of the target and the partition: its wake is not called any more,
// unless the call has begun. A caller that drops a refused trigger without another try must call
// it. Otherwise the waiter would stay until a stream serves the target.
func (d *Dispatcher) Withdraw(target job.Target, partition int) {
	d.shared.mu.Lock()
	defer d.shared.mu.Unlock()
	if t := d.targets[target]; t != nil {
		t.waiters.withdraw(partition)
		t.cleanUp()
	}
}

// Connect returns a stream that serves these targets, or none. It may limit targets that it does
// not serve. The caller must close it.
func (d *Dispatcher) Connect(targets []job.Target, limits ...ConcurrencyLimit) *Stream {
	s := &Stream{shared: d.shared, state: streamState{
		start: time.Now(), wake: make(chan struct{}, 1), attempts: make(map[uint64]attempt),
		budget: triggerBudget{maxCount: d.cfg.MaxInFlight, maxBytes: d.cfg.MaxBytes},
	}}
	d.shared.mu.Lock()
	d.connected++
	s.number = d.connected
	seen := make(map[job.Target]bool, len(targets))
	for _, target := range targets {
		if !seen[target] {
			seen[target] = true
			t := d.target(target)
			t.streams = append(t.streams, &s.state)
			s.targets = append(s.targets, t)
		}
	}
	for _, l := range limits {
		if l.Target.Kind != job.Actor || l.Max <= 0 {
			continue
		}
		t := d.target(l.Target)
		if t.limits == nil {
			held := triggerBudget{maxCount: d.cfg.MaxHeld, maxBytes: d.cfg.MaxHeldBytes}
			t.limits = newActorLimits(l.Target.Name, held, &d.share, d.labels)
		}
		t.limits.addLimit(s.number, l)
		if !slices.Contains(s.limited, t) {
			s.limited = append(s.limited, t)
		}
	}
	d.shared.counts.Streams++
	var calls []wakeUp
	for _, t := range s.limited {
		t.limits.requeue()
		calls = t.admit(calls)
	}
	calls = s.admit(calls)
	d.shared.mu.Unlock()
	wakeAll(calls)
	return s
}

// SetShare sets the share of concurrency limits for connected and later streams. If it grows, held
// triggers are sent at once. If it shrinks, triggers in flight continue, and no others are sent
// until the new share allows it. A new dispatcher has the whole of each limit. s.Nodes must be
// positive.
func (d *Dispatcher) SetShare(s Share) {
	d.shared.mu.Lock()
	if d.share == s {
		d.shared.mu.Unlock()
		return
	}
	d.share = s
	var calls []wakeUp
	for _, t := range d.targets {
		if t.limits != nil {
			calls = t.admit(calls)
		}
	}
	d.shared.mu.Unlock()
	wakeAll(calls)
}

// target returns the state of a target, and creates it if necessary. The caller holds the mutex,
// and adds a stream, a limit or a waiter to it.
func (d *Dispatcher) target(target job.Target) *targetState {
	t := d.targets[target]
	if t == nil {
		t = &targetState{
			shared: d.shared, all: d.targets, target: target,
			refusal: payloadRefusal{target: target}, waiters: waiters{total: &d.shared.counts.Waiting},
		}
		d.targets[target] = t
	}
	return t
}

// wakeRefused wakes the targets that the payload budget refused, as far as it has bytes for them.
func (d *Dispatcher) wakeRefused() {
	var calls []wakeUp
	d.shared.mu.Lock()
	d.shared.payload.popFitting(func(t job.Target) { calls = d.targets[t].wakeIfCapacity(calls) })
	d.shared.mu.Unlock()
	wakeAll(calls)
}
