package dispatch

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/job"
)

// Config has the limits of a [Dispatcher]. A stream that has reached either of its limits is
// skipped. A trigger that would have to be held is refused when its actor type has reached either
// of its limits.
type Config struct {
	MaxInFlight int // triggers on one stream; default 10,000
	// MaxBytes is of the names and payloads in flight on one stream. A larger trigger is accepted
	// when nothing else is in flight. Default 64 MiB.
	MaxBytes int

	MaxHeld int // triggers of one actor type; default 100,000
	// MaxHeldBytes is of the names and payloads of the held triggers of one actor type. A larger
	// trigger is held when no other is. Default 64 MiB.
	MaxHeldBytes int

	// MaxPayload is how many bytes of names and payloads may wait to be sent to all streams
	// together, held triggers included. Targets share them fairly. Each may always have 32 KiB, or
	// one trigger that is larger than its share; there are at most four such triggers. Default 256
	// MiB.
	MaxPayload int

	Metrics prometheus.Registerer // for the dispatcher's metrics; nil: none
}

// A Dispatcher delivers triggers to the streams that serve their targets. It is safe for concurrent
// use.
type Dispatcher struct {
	cfg   Config
	began time.Time

	// mu guards the fields below, all targetStates, and the fields of Streams that are not fixed.
	mu           sync.Mutex
	targets      map[job.Target]*targetState
	streams      int
	inFlight     int
	held         int
	waiting      int
	ignored      uint64
	payload      payloadBudget
	payloadTimer *time.Timer // wakes targets that the budget refused; nil when it is not set

	tallies   [3]tally          // by kind of target
	throttled map[string]uint64 // triggers that were held, by the label of the semaphore that was full
	labels    labels            // of semaphores
	share     Share             // of concurrency limits
}

// New returns a dispatcher without streams.
func New(cfg Config) *Dispatcher {
	cfg.MaxInFlight = cmp.Or(cfg.MaxInFlight, 10_000)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, 64<<20)
	cfg.MaxHeld = cmp.Or(cfg.MaxHeld, 100_000)
	cfg.MaxPayload = cmp.Or(cfg.MaxPayload, 256<<20)
	cfg.MaxHeldBytes = cmp.Or(cfg.MaxHeldBytes, 64<<20)
	d := &Dispatcher{
		cfg: cfg, began: time.Now(), targets: make(map[job.Target]*targetState),
		payload: newPayloadBudget(cfg.MaxPayload), throttled: make(map[string]uint64),
		labels: make(labels), share: Share{Nodes: 1},
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(newMetrics(d))
	}
	return d
}

// Connected reports whether a stream is connected that serves the target.
func (d *Dispatcher) Connected(target job.Target) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.targets[target]
	return r != nil && len(r.streams) > 0
}

// Stats is a snapshot of a Dispatcher.
type Stats struct {
	Streams  int    // that are connected
	InFlight int    // triggers accepted and not ended, held ones included
	Held     int    // triggers that wait for a slot of a concurrency limit
	Waiting  int    // waiters: refusals of partitions that were not woken yet, of all targets
	Targets  int    // that have a stream, a waiter or a concurrency limit
	Ignored  uint64 // results for triggers that were not in flight, since the start
}

// Stats returns a snapshot of d.
func (d *Dispatcher) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats()
}

func (d *Dispatcher) stats() Stats {
	return Stats{
		Streams: d.streams, InFlight: d.inFlight, Held: d.held, Waiting: d.waiting, Targets: len(d.targets),
		Ignored: d.ignored,
	}
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
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.target(t.Key.Target)
	if !r.accept(t, bytes, done) {
		if len(r.streams) == 0 {
			d.tallies[t.Key.Target.Kind].undelivered++
		}
		r.wait(t.Partition, wake)
		return false
	}
	d.inFlight++
	return true
}

// Withdraw removes the waiter of the target and the partition: its wake is not called any more,
// unless the call has begun. A caller that drops a refused trigger without another try must call
// it. Otherwise the waiter would stay until a stream serves the target.
func (d *Dispatcher) Withdraw(target job.Target, partition int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.targets[target]; r != nil {
		r.withdraw(partition)
		r.cleanUp()
	}
}

// Connect returns a stream that serves these targets, or none. It may limit targets that it does
// not serve. The caller must close it.
func (d *Dispatcher) Connect(targets []job.Target, limits ...ConcurrencyLimit) *Stream {
	s := &Stream{d: d, wake: make(chan struct{}, 1), inFlight: make(map[uint64]attempt)}
	d.mu.Lock()
	seen := make(map[job.Target]bool, len(targets))
	for _, t := range targets {
		if !seen[t] {
			seen[t] = true
			r := d.target(t)
			r.streams = append(r.streams, s)
			s.targets = append(s.targets, r)
		}
	}
	for _, l := range limits {
		if l.Target.Kind != job.Actor || l.Max <= 0 {
			continue
		}
		r := d.target(l.Target)
		if r.limits == nil {
			r.limits = newActorLimits(l.Target.Name, d)
		}
		r.limits.addLimit(s, l)
		if !slices.Contains(s.limited, r) {
			s.limited = append(s.limited, r)
		}
	}
	d.streams++
	var calls []wakeUp
	for _, r := range s.limited {
		r.limits.requeue()
		calls = r.admit(calls)
	}
	calls = s.admit(calls)
	d.mu.Unlock()
	wakeAll(calls)
	return s
}

// SetShare sets the share of concurrency limits for connected and later streams. If it grows, held
// triggers are sent at once. If it shrinks, triggers in flight continue, and no others are sent
// until the new share allows it. A new dispatcher has the whole of each limit. s.Nodes must be
// positive.
func (d *Dispatcher) SetShare(s Share) {
	d.mu.Lock()
	if d.share == s {
		d.mu.Unlock()
		return
	}
	d.share = s
	var calls []wakeUp
	for _, r := range d.targets {
		if r.limits != nil {
			calls = r.admit(calls)
		}
	}
	d.mu.Unlock()
	wakeAll(calls)
}

// target returns the state of t, and creates it if necessary. The caller holds d.mu, and adds a
// stream, a limit or a waiter to it.
func (d *Dispatcher) target(t job.Target) *targetState {
	r := d.targets[t]
	if r == nil {
		r = &targetState{d: d, target: t}
		d.targets[t] = r
	}
	return r
}

// release releases the payload bytes of a trigger that was sent, or never will be. The caller holds
// d.mu.
func (d *Dispatcher) release(t job.Target, bytes int) {
	d.payload.release(t, bytes)
	if len(d.payload.refused) > 0 && d.payloadTimer == nil {
		d.payloadTimer = time.AfterFunc(wakeDelay, d.wakeRefused)
	}
}

// wakeRefused is called by payloadTimer.
func (d *Dispatcher) wakeRefused() {
	var calls []wakeUp
	d.mu.Lock()
	d.payloadTimer = nil
	d.payload.popFitting(func(r *targetState) { calls = r.wakeIfCapacity(calls) })
	d.mu.Unlock()
	wakeAll(calls)
}

// size returns how many bytes t counts towards the limits of [Config].
func size(t job.Trigger) int {
	n := len(t.Key.Target.Namespace) + len(t.Key.Target.Name) + len(t.Key.ActorID) + len(t.Key.Name) + len(t.AppID)
	if t.ConcurrencyKey != nil {
		n += len(*t.ConcurrencyKey)
	}
	if t.Data != nil {
		n += len(t.Data.TypeURL) + len(t.Data.Value)
	}
	return n
}
