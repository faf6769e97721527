package dispatch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/dispatch"
	"carillon/internal/job"
)

// A model is a dispatcher without data structures: it searches everything each time.
type model struct {
	d       *dispatch.Dispatcher
	streams []*modelStream     // in the order in which they connected
	last    map[job.Target]int // the stream that had the last turn
	held    []*modelAttempt    // oldest first
	share   dispatch.Share

	mu      sync.Mutex             // timers wake waiters, too
	waiters map[*waiter]job.Target // not woken yet

	connected, delivered, accepted, ended int
}

type modelStream struct {
	*dispatch.Stream
	number  int
	targets []job.Target
	limits  []dispatch.ConcurrencyLimit
	out     []*modelAttempt
	sent    uint64
}

type modelAttempt struct {
	id     uint64
	target job.Target
	name   string
	key    string // empty if there is none
	bytes  int
	whole  bool // it has a slot of the semaphore of its type
	named  bool // and of its key's
	ended  []job.Outcome
}

// A waiter is a refusal. It may be woken once there was capacity, or could have been.
type waiter struct {
	capacity, may, woken bool
}

const (
	bound      = 5 // of triggers in flight on a stream of TestConcurrentPartitionsAndSidecars
	modelOut   = 3
	modelBytes = 1000
	modelHold  = 4
)

func (s *modelStream) bytes() int {
	n := 0
	for _, a := range s.out {
		n += a.bytes
	}
	return n
}

func (s *modelStream) fits(bytes int) bool {
	return len(s.out) == 0 || len(s.out) < modelOut && s.bytes()+bytes <= modelBytes
}

// turn returns the next stream of the rotation: the first with capacity after the last one, else
// the first of all.
func (m *model) turn(target job.Target, bytes int) *modelStream {
	var first *modelStream
	for _, s := range m.streams {
		if !slices.Contains(s.targets, target) || !s.fits(bytes) {
			continue
		}
		if s.number > m.last[target] {
			return s
		}
		if first == nil {
			first = s
		}
	}
	return first
}

func (m *model) capacityAppeared(targets []job.Target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w, target := range m.waiters {
		w.capacity = w.capacity || slices.Contains(targets, target)
		w.may = w.may || w.capacity
	}
}

// check fails if a waiter was not woken although there was capacity, and still is.
func (m *model) check(t *testing.T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w, target := range m.waiters {
		for _, s := range m.streams {
			if w.capacity && !m.crowded(target) && slices.Contains(s.targets, target) && len(s.out) < modelOut && s.bytes() < modelBytes {
				t.Errorf("a waiter for %v was not woken", target)
			}
		}
	}
}

func (m *model) connect(t *testing.T, targets []job.Target, limits []dispatch.ConcurrencyLimit) {
	m.capacityAppeared(targets)
	m.capacityAppeared(limited(limits))
	m.connected++
	s := &modelStream{number: m.connected, targets: targets, limits: limits}
	s.Stream = m.d.Connect(targets, limits...)
	m.streams = append(m.streams, s)
	m.admit(t, append(limited(limits), targets...))
}

func (m *model) close(t *testing.T, s *modelStream) {
	m.streams = slices.DeleteFunc(m.streams, func(o *modelStream) bool { return o == s })
	m.mu.Lock()
	for w, target := range m.waiters {
		w.may = w.may || target.Kind == job.Actor
	}
	m.mu.Unlock()
	s.Close()
	for _, a := range append(s.out, m.abandoned()...) {
		if !slices.Equal(a.ended, []job.Outcome{job.Lost}) {
			t.Fatalf("an attempt out with a closed stream ended as %v, want lost", a.ended)
		}
	}
	m.admit(t, append(limited(s.limits), s.targets...))
}

func (m *model) settle(t *testing.T, s *modelStream, i int) {
	a := s.out[i]
	s.out = slices.Delete(s.out, i, i+1)
	m.capacityAppeared(s.targets)
	if !s.Settle(a.id, job.Failed) || !slices.Equal(a.ended, []job.Outcome{job.Failed}) {
		t.Fatalf("a settled attempt ended as %v, want failed", a.ended)
	}
	m.admit(t, s.targets)
}

func (m *model) deliver(t *testing.T, target job.Target, key string, bytes int) {
	m.delivered++
	a := &modelAttempt{target: target, name: fmt.Sprint(m.delivered), key: key, bytes: bytes}
	w := new(waiter)
	done := func(o job.Outcome) {
		a.ended = append(a.ended, o)
		m.ended++
	}
	wake := func(n int) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if !w.may || w.woken || n < 1 {
			t.Errorf("woken for %d; there may have been capacity: %v; woken before: %v", n, w.may, w.woken)
		}
		w.woken = true
		delete(m.waiters, w)
	}
	hold := m.served(target) && m.limited(target) && !m.passes(a)
	s := m.turn(target, bytes)
	want := !hold && s != nil || hold && m.holds(a)
	trig := a.trigger()
	trig.Partition = m.delivered // each waits by itself
	if accepted := m.d.Deliver(trig, done, wake); accepted != want {
		t.Fatalf("Deliver = %v, want %v", accepted, want)
	}
	switch {
	case !want:
		m.mu.Lock()
		defer m.mu.Unlock()
		for other, at := range m.waiters { // who joins those that are about to be woken is woken with them
			w.capacity = w.capacity || at == target && other.capacity
			w.may = w.may || at == target && other.may
		}
		m.waiters[w] = target
		return
	case hold:
		m.held = append(m.held, a)
	default:
		m.send(t, s, a)
	}
	m.accepted++
}

// send has s send a.
func (m *model) send(t *testing.T, s *modelStream, a *modelAttempt) {
	a.whole = m.limited(a.target)
	a.named = a.key != "" && m.limit(a.target, a.key) > 0
	m.last[a.target] = s.number
	s.out = append(s.out, a)
	s.sent++
	id, trig := next(t, s.Stream)
	if id != s.sent || trig.Key.Name != a.name {
		t.Fatalf("stream %d sends %s as number %d, want %s as %d", s.number, trig.Key.Name, id, a.name, s.sent)
	}
	a.id = id
}

func TestDispatcherAgreesWithModel(t *testing.T) {
	targets := []job.Target{app("a"), app("b"), {Kind: job.Actor, Namespace: "ns", Name: "a"}}
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			m := &model{
				d: dispatch.New(dispatch.Config{
					MaxInFlight: modelOut, MaxBytes: modelBytes, MaxHeld: modelHold, MaxHeldBytes: modelBytes,
				}),
				last:    make(map[job.Target]int),
				share:   dispatch.Share{Nodes: 1},
				waiters: make(map[*waiter]job.Target),
			}
			for range 1000 {
				s := new(modelStream)
				if len(m.streams) > 0 {
					s = m.streams[rnd.IntN(len(m.streams))]
				}
				switch op := rnd.IntN(100); {
				case op < 3 && len(m.streams) < 6:
					m.connect(t, targets[rnd.IntN(4):], randomLimits(rnd, targets[2]))
				case op < 5 && s.Stream != nil:
					m.close(t, s)
				case op < 45 && len(s.out) > 0:
					m.settle(t, s, rnd.IntN(len(s.out)))
				case op < 50:
					time.Sleep(6 * time.Millisecond)
					synctest.Wait()
					m.check(t)
				case op < 52:
					m.join(t, 1+rnd.IntN(3), targets[2])
				default:
					m.deliver(t, targets[rnd.IntN(3)], [...]string{"", "x", "y"}[rnd.IntN(3)], 100+rnd.IntN(300)*rnd.IntN(5))
				}
			}
			for _, s := range slices.Clone(m.streams) {
				m.close(t, s)
			}
			if m.ended != m.accepted {
				t.Errorf("%d were accepted, %d ended", m.accepted, m.ended)
			}
			got := m.d.Stats()
			if got.InFlight != 0 || got.Held != 0 || got.Streams != 0 || got.Waiting != len(m.waiters) {
				t.Errorf("left behind: %+v, want %d waiters", got, len(m.waiters))
			}
		})
	}
}

// Partitions deliver, and sidecars connect, answer or not, and close, all concurrently. Every
// trigger is handled in the end, and no waiter waits for ever.
func TestConcurrentPartitionsAndSidecars(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions, jobs, sidecars = 8, 2000, 6
		d := dispatch.New(dispatch.Config{MaxInFlight: bound, MaxHeld: 2})
		targets := []job.Target{app("a"), actor("T"), app("c")}
		limits := []dispatch.ConcurrencyLimit{limit(actor("T"), 2), limitKey(actor("T"), "0", 1)}
		var handled, lost atomic.Int64
		over := make(chan struct{})

		var coming, busy sync.WaitGroup
		for n := range sidecars {
			coming.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(n), 1))
				for !isOver(over) {
					s := d.Connect(targets[n%2:], limits[n%3:]...)
					for range rnd.IntN(200) {
						sidecarTurn(t, d, s, rnd)
					}
					s.Close()
				}
			})
		}
		for n := range partitions {
			busy.Go(func() {
				for i := range jobs {
					trig := keyed(targets[(i+n)%3], fmt.Sprint(i%2))
					trig.Partition = n
					for deliverOnce(t, d, trig) == job.Lost {
						lost.Add(1)
					}
					handled.Add(1)
				}
			})
		}
		busy.Wait()
		close(over)
		coming.Wait()
		if got := handled.Load(); got != partitions*jobs || lost.Load() == 0 {
			t.Errorf("handled %d, want %d; %d were lost on the way", got, partitions*jobs, lost.Load())
		}
		got := d.Stats()
		if got.Ignored = 0; got != (dispatch.Stats{}) {
			t.Errorf("left behind: %+v", got)
		}
	})
}

func isOver(over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	default:
		return false
	}
}

// deliverOnce delivers t, waits for capacity as often as necessary, and returns the outcome.
func deliverOnce(t *testing.T, d *dispatch.Dispatcher, trig job.Trigger) job.Outcome {
	for {
		ended, woken := make(chan job.Outcome, 2), make(chan int, 2)
		accepted := d.Deliver(trig, func(o job.Outcome) { ended <- o }, func(n int) { woken <- n })
		var outcome job.Outcome
		if accepted {
			outcome = <-ended
		} else {
			<-woken
		}
		if len(ended) > 0 || len(woken) > 0 {
			t.Errorf("called back twice, or for both: accepted %v", accepted)
		}
		if accepted {
			return outcome
		}
	}
}

// sidecarTurn receives a trigger, if there is one, and usually settles it.
func sidecarTurn(t *testing.T, d *dispatch.Dispatcher, s *dispatch.Stream, rnd *rand.Rand) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	id, _, err := s.Next(ctx)
	if err != nil {
		return
	}
	if now := d.Stats(); now.InFlight-now.Held > bound*now.Streams {
		t.Errorf("%d are in flight on %d streams, want at most %d on each", now.InFlight-now.Held, now.Streams, bound)
	}
	if rnd.IntN(50) > 0 {
		s.Settle(id, job.Handled)
		s.Settle(id, job.Handled)
	}
}
