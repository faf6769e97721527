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

// Config bounds what is out with one stream. When either bound is reached, the stream is passed over.
type Config struct {
	MaxOut   int // triggers; default 10,000
	MaxBytes int // of their names and payloads; default 64 MiB. A larger trigger goes out when nothing else is.

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
	waiting int
	ignored uint64
	tallies [3]tally // by kind of target
}

// New returns a dispatcher without streams.
func New(cfg Config) *Dispatcher {
	cfg.MaxOut = cmp.Or(cfg.MaxOut, 10_000)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, 64<<20)
	d := &Dispatcher{cfg: cfg, began: time.Now(), routes: make(map[job.Target]*route)}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(newMetrics(d))
	}
	return d
}

// Stats is what a Dispatcher holds at one moment.
type Stats struct {
	Streams int    // that are connected
	Out     int    // triggers taken and not ended
	Waiting int    // refusals that were not woken yet
	Targets int    // that have a stream or a waiter
	Ignored uint64 // results for triggers that were not out, since the start
}

// Stats returns what d holds now.
func (d *Dispatcher) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats()
}

func (d *Dispatcher) stats() Stats {
	return Stats{Streams: d.streams, Out: d.out, Waiting: d.waiting, Targets: len(d.routes), Ignored: d.ignored}
}

// Deliver takes t without blocking and reports whether a receiver had room. If so, done is called exactly once, from
// another goroutine, when the attempt has ended. If not, room is called exactly once, from another goroutine, when that
// may have changed, with a fair share (at least 1) of how many triggers there is room for. Neither may block.
//
// It keeps one waiter for each refusal for as long as the target has no room; the engine has one per partition.
func (d *Dispatcher) Deliver(t job.Trigger, done func(job.Outcome), room func(n int)) (taken bool) {
	bytes := size(t)
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.route(t.Key.Target)
	s := r.turn(bytes)
	if s == nil {
		if len(r.streams) == 0 {
			d.tallies[t.Key.Target.Kind].undelivered++
		}
		r.waiters = append(r.waiters, room)
		d.waiting++
		return false
	}
	s.take(t, bytes, done)
	return true
}

// Connect returns a receiver that serves these targets; it may be none. It must be closed.
func (d *Dispatcher) Connect(targets []job.Target) *Stream {
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
	d.streams++
	calls := s.wakeWaiters(nil)
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

// A route is what the dispatcher knows of one target.
type route struct {
	d      *Dispatcher
	target job.Target

	streams []*Stream // that serve the target, in the order in which they connected
	next    int       // whose turn it is; their number means the first's, unless one more connects
	waiters []func(n int)
	timer   *time.Timer // wakes the waiters; nil when it is not set
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
	if len(r.streams) == 0 && len(r.waiters) == 0 {
		delete(r.d.routes, r.target)
	}
}

// free returns about how many triggers the streams of r have room for together.
func (r *route) free() int {
	n := 0
	for _, s := range r.streams {
		n += s.free()
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
	for _, room := range r.waiters {
		calls = append(calls, wakeUp{room, share})
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

// size returns how much t counts towards [Config.MaxBytes].
func size(t job.Trigger) int {
	n := len(t.Key.Target.Namespace) + len(t.Key.Target.Name) + len(t.Key.ActorID) + len(t.Key.Name) + len(t.AppID)
	if t.Data != nil {
		n += len(t.Data.TypeURL) + len(t.Data.Value)
	}
	return n
}
