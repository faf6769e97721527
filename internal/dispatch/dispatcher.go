package dispatch

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/job"
)

// wakeDelay is the longest that waiters wait for more room to come free, so that they are woken together.
const wakeDelay = 5 * time.Millisecond

// Config bounds what is out with one stream: when either bound is reached, the stream is passed over. And it bounds
// what is held of one actor type: when either bound is reached, triggers that would have to wait are refused.
type Config struct {
	MaxOut   int // triggers; default 10,000
	MaxBytes int // of their names and payloads; default 64 MiB. A larger trigger goes out when nothing else is.

	MaxHeld      int // triggers; default 100,000
	MaxHeldBytes int // of their names and payloads; default 64 MiB. A larger trigger is held when nothing else is.

	// MaxPayload is how many bytes of names and payloads may wait to be sent to all streams together, what is held included.
	// Targets share them fairly; each may have 32 KiB in any case, and one larger trigger, of which
	// there are four at a time. Default 256 MiB.
	MaxPayload int

	Metrics prometheus.Registerer // of the dispatcher's metrics; nil: none
}

// A Dispatcher carries triggers to the streams that serve their targets. It is safe for concurrent use.
type Dispatcher struct {
	cfg   Config
	began time.Time

	mu      sync.Mutex // guards everything below, and everything in a route and a Stream that is not fixed
	routes  map[job.Target]*route
	streams int
	out     int
	held    int
	waiting int
	ignored uint64
	payload payload

	tallies   [3]tally          // by kind of target
	throttled map[string]uint64 // triggers that were held, by the label of the gate that was full
	labels    labels            // of gates
	share     Share             // of limits
}

// New returns a dispatcher without streams.
func New(cfg Config) *Dispatcher {
	cfg.MaxOut = cmp.Or(cfg.MaxOut, 10_000)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, 64<<20)
	cfg.MaxHeld = cmp.Or(cfg.MaxHeld, 100_000)
	cfg.MaxPayload = cmp.Or(cfg.MaxPayload, 256<<20)
	cfg.MaxHeldBytes = cmp.Or(cfg.MaxHeldBytes, 64<<20)
	d := &Dispatcher{cfg: cfg, began: time.Now(), routes: make(map[job.Target]*route), throttled: make(map[string]uint64), labels: make(labels), share: Share{Nodes: 1}, payload: newPayload(cfg.MaxPayload)}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(newMetrics(d))
	}
	return d
}

// Connected reports whether a stream is connected that serves the target.
func (d *Dispatcher) Connected(target job.Target) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.routes[target]
	return r != nil && len(r.streams) > 0
}

// Stats is what a Dispatcher holds at one moment.
type Stats struct {
	Streams int    // that are connected
	Out     int    // triggers taken and not ended, those held included
	Held    int    // triggers that wait at a gate
	Waiting int    // partitions' refusals that were not woken yet, for all targets
	Targets int    // that have a stream, a waiter or a gate
	Ignored uint64 // results for triggers that were not out, since the start
}

// Stats returns what d holds now.
func (d *Dispatcher) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats()
}

func (d *Dispatcher) stats() Stats {
	return Stats{
		Streams: d.streams, Out: d.out, Held: d.held, Waiting: d.waiting, Targets: len(d.routes), Ignored: d.ignored,
	}
}

// Deliver takes t without blocking and reports whether a receiver had room, or will have: a trigger that a [Limit]
// keeps back is taken, and held. If so, done is called exactly once, from another goroutine, when the attempt has ended.
// If not, room is called once, from another goroutine, when that may have changed, with a fair share (at least
// 1) of how many triggers there is room for; unless a trigger of the same target and partition is refused before, or
// [Dispatcher.Withdraw] is called. Neither may block.
//
// So no more waiters are kept than there are partitions for each target, however often they are refused.
func (d *Dispatcher) Deliver(t job.Trigger, done func(job.Outcome), room func(n int)) (taken bool) {
	bytes := size(t)
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.route(t.Key.Target)
	if !r.take(t, bytes, done) {
		if len(r.streams) == 0 {
			d.tallies[t.Key.Target.Kind].undelivered++
		}
		r.wait(t.Partition, room)
		return false
	}
	d.out++
	return true
}

// Withdraw lets go of what was refused last of the target and the partition: its room is not called any more, unless that
// has begun. Whoever lets a trigger that was refused go without another try calls it, or a waiter would stay for as long
// as nobody serves the target.
func (d *Dispatcher) Withdraw(target job.Target, partition int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.routes[target]; r != nil {
		r.withdraw(partition)
		r.tidy()
	}
}

// Connect returns a receiver that serves these targets; it may be none. Its limits need not be of targets that it
// serves. It must be closed.
func (d *Dispatcher) Connect(targets []job.Target, limits ...Limit) *Stream {
	s := &Stream{d: d, wake: make(chan struct{}, 1), out: make(map[uint64]attempt)}
	d.mu.Lock()
	seen := make(map[job.Target]bool, len(targets))
	for _, t := range targets {
		if !seen[t] {
			seen[t] = true
			r := d.route(t)
			r.streams = append(r.streams, s)
			s.routes = append(s.routes, r)
		}
	}
	for _, l := range limits {
		if l.Target.Kind != job.Actor || l.Max <= 0 {
			continue
		}
		r := d.route(l.Target)
		if r.gates == nil {
			r.gates = newGates(l.Target.Name, d)
		}
		r.gates.claim(s, l)
		if !slices.Contains(s.limited, r) {
			s.limited = append(s.limited, r)
		}
	}
	d.streams++
	var calls []wakeUp
	for _, r := range s.limited {
		r.gates.sort()
		calls = r.admit(calls)
	}
	calls = s.wakeWaiters(calls)
	d.mu.Unlock()
	call(calls)
	return s
}

// route returns the route of t, which is made if need be. The caller holds d.mu, and leaves something in the route.
func (d *Dispatcher) route(t job.Target) *route {
	r := d.routes[t]
	if r == nil {
		r = &route{d: d, target: t}
		d.routes[t] = r
	}
	return r
}

// size returns how much t counts towards [Config.MaxBytes].
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
