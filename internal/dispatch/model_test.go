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

// The model is the dispatcher without its data structures: it looks at everything each time.
type model struct {
	d       *dispatch.Dispatcher
	streams []*modelStream     // in the order in which they connected
	last    map[job.Target]int // the stream that had the last turn
	held    []*modelAttempt    // eldest first
	share   dispatch.Share

	mu      sync.Mutex             // timers wake waiters, too
	waiters map[*waiter]job.Target // not woken yet

	connected, delivered, taken, ended int
}

type modelStream struct {
	*dispatch.Stream
	number  int
	targets []job.Target
	limits  []dispatch.Limit
	out     []*modelAttempt
	sent    uint64
}

type modelAttempt struct {
	id     uint64
	target job.Target
	name   string
	key    string // empty if there is none
	bytes  int
	whole  bool // it has a slot of its type's gate
	named  bool // and of its key's
	ended  []job.Outcome
}

// A waiter is a refusal. It may be woken once there has been room, or could have been.
type waiter struct {
	room, may, woken bool
}

const (
	bound      = 5 // of what is out with a stream of TestEverythingAtOnce
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

// turn returns the stream whose turn it is: the first after the last one that has room, else the first of all.
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

func (m *model) roomAppeared(targets []job.Target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w, target := range m.waiters {
		w.room = w.room || slices.Contains(targets, target)
		w.may = w.may || w.room
	}
}

// check says whether somebody still waits although there has been room, and there is.
func (m *model) check(t *testing.T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w, target := range m.waiters {
		for _, s := range m.streams {
			if w.room && !m.crowded(target) && slices.Contains(s.targets, target) && len(s.out) < modelOut && s.bytes() < modelBytes {
				t.Errorf("a waiter for %v was not woken", target)
			}
		}
	}
}

func (m *model) connect(t *testing.T, targets []job.Target, limits []dispatch.Limit) {
	m.roomAppeared(targets)
	m.roomAppeared(limited(limits))
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
	m.roomAppeared(s.targets)
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
	room := func(n int) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if !w.may || w.woken || n < 1 {
			t.Errorf("woken for %d; there may have been room: %v; woken before: %v", n, w.may, w.woken)
		}
		w.woken = true
		delete(m.waiters, w)
	}
	hold := m.served(target) && m.limited(target) && !m.passes(a)
	s := m.turn(target, bytes)
	want := !hold && s != nil || hold && m.holds(a)
	trig := a.trigger()
	trig.Partition = m.delivered // each waits by itself
	if taken := m.d.Deliver(trig, done, room); taken != want {
		t.Fatalf("Deliver = %v, want %v", taken, want)
	}
	switch {
	case !want:
		m.mu.Lock()
		defer m.mu.Unlock()
		for other, at := range m.waiters { // who joins those that are about to be woken is woken with them
			w.room = w.room || at == target && other.room
			w.may = w.may || at == target && other.may
		}
		m.waiters[w] = target
		return
	case hold:
		m.held = append(m.held, a)
	default:
		m.send(t, s, a)
	}
	m.taken++
}

// send has s send a.
func (m *model) send(t *testing.T, s *modelStream, a *modelAttempt) {
	a.whole = m.limited(a.target)
	a.named = a.key != "" && m.most(a.target, a.key) > 0
	m.last[a.target] = s.number
	s.out = append(s.out, a)
	s.sent++
	id, trig := next(t, s.Stream)
	if id != s.sent || trig.Key.Name != a.name {
		t.Fatalf("stream %d sends %s as number %d, want %s as %d", s.number, trig.Key.Name, id, a.name, s.sent)
	}
	a.id = id
}

func TestTheDispatcherDoesWhatTheModelDoes(t *testing.T) {
	targets := []job.Target{app("a"), app("b"), {Kind: job.Actor, Namespace: "ns", Name: "a"}}
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			m := &model{
				d: dispatch.New(dispatch.Config{
					MaxOut: modelOut, MaxBytes: modelBytes, MaxHeld: modelHold, MaxHeldBytes: modelBytes,
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
			if m.ended != m.taken {
				t.Errorf("%d were taken, %d ended", m.taken, m.ended)
			}
			got := m.d.Stats()
			if got.Out != 0 || got.Held != 0 || got.Streams != 0 || got.Waiting != len(m.waiters) {
				t.Errorf("left behind: %+v, want %d waiters", got, len(m.waiters))
			}
		})
	}
}

// Partitions deliver, sidecars come and go and answer or not, all at once: every trigger is handled in the end, and
// nobody waits for ever.
func TestEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions, jobs, sidecars = 8, 2000, 6
		d := dispatch.New(dispatch.Config{MaxOut: bound, MaxHeld: 2})
		targets := []job.Target{app("a"), actor("T"), app("c")}
		limits := []dispatch.Limit{limit(actor("T"), 2), limitKey(actor("T"), "0", 1)}
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

// deliverOnce delivers t, waiting for room as often as need be, and returns how the attempt ended.
func deliverOnce(t *testing.T, d *dispatch.Dispatcher, trig job.Trigger) job.Outcome {
	for {
		ended, room := make(chan job.Outcome, 2), make(chan int, 2)
		taken := d.Deliver(trig, func(o job.Outcome) { ended <- o }, func(n int) { room <- n })
		var outcome job.Outcome
		if taken {
			outcome = <-ended
		} else {
			<-room
		}
		if len(ended) > 0 || len(room) > 0 {
			t.Errorf("called back twice, or for both: taken %v", taken)
		}
		if taken {
			return outcome
		}
	}
}

// sidecarTurn takes a trigger, if one comes, and answers it more often than not.
func sidecarTurn(t *testing.T, d *dispatch.Dispatcher, s *dispatch.Stream, rnd *rand.Rand) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	id, _, err := s.Next(ctx)
	if err != nil {
		return
	}
	if now := d.Stats(); now.Out-now.Held > bound*now.Streams {
		t.Errorf("%d are out with %d streams, want %d with each at most", now.Out-now.Held, now.Streams, bound)
	}
	if rnd.IntN(50) > 0 {
		s.Settle(id, job.Handled)
		s.Settle(id, job.Handled)
	}
}
