package simulate_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"carillon/internal/memnet"
)

// A wire is the network between a scheduler and everybody else. Whoever dials has a name; what is wrong with the
// connections of a name is wrong with all of them, and with those that it makes later.
type wire struct {
	seed    uint64
	address string          // of the scheduler
	running *sync.WaitGroup // of the world

	mu    sync.Mutex       // guards the fields below
	far   *memnet.Listener // nil while the scheduler is down
	links map[*link]struct{}
	ways  map[direction]*way
}

// A direction is one way between a name and the scheduler.
type direction struct {
	who string
	up  bool // to the scheduler
}

// A way is how a direction is: open or cut, quick or slow. A cut one keeps what is sent, as TCP does, until it is
// mended or the connection is given up.
type way struct {
	mu    sync.Mutex // guards the fields below
	open  chan struct{}
	cuts  int
	delay time.Duration // at most
	rnd   *rand.Rand
}

func newWire(seed uint64, address string, running *sync.WaitGroup) *wire {
	return &wire{seed: seed, address: address, running: running, links: map[*link]struct{}{}, ways: map[direction]*way{}}
}

// plug has the scheduler reached at l, unless it is dead.
func (w *wire) plug(l *memnet.Listener, dead *atomic.Bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !dead.Load() {
		w.far = l
	}
}

// way returns that of a direction. What it does is decided by its own sequence of random numbers.
func (w *wire) way(d direction) *way {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ways[d] == nil {
		open := make(chan struct{})
		close(open)
		w.ways[d] = &way{open: open, rnd: random(w.seed, w.address, d)}
	}
	return w.ways[d]
}

// cut stops a direction until the function that it returns is called.
func (y *way) cut() (mend func()) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.cuts++; y.cuts == 1 {
		y.open = make(chan struct{})
	}
	return sync.OnceFunc(func() {
		y.mu.Lock()
		defer y.mu.Unlock()
		if y.cuts--; y.cuts == 0 {
			close(y.open)
		}
	})
}

// slow makes everything that goes this way take up to d from now on.
func (y *way) slow(d time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.delay = d
}

// pass waits until something that was sent has got there. It reports false if given ends first.
func (y *way) pass(given <-chan struct{}) bool {
	y.mu.Lock()
	var d time.Duration
	if y.delay > 0 {
		d = time.Duration(y.rnd.Int64N(int64(y.delay)))
	}
	y.mu.Unlock()
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-given:
			return false
		}
	}
	y.mu.Lock()
	open := y.open
	y.mu.Unlock()
	select {
	case <-open:
	case <-given:
	}
	select {
	case <-given:
		return false
	default:
		return true
	}
}

// A link is one connection: two pipes, and between them what can go wrong.
type link struct {
	who    string
	near   net.Conn // our end of who's pipe
	far    net.Conn // and of the scheduler's
	ended  chan struct{}
	end    func()
	silent atomic.Bool // the scheduler's machine is without power: it says nothing any more, and nobody tells
}

// dial connects who to the scheduler.
func (w *wire) dial(ctx context.Context, who string) (net.Conn, error) {
	w.mu.Lock()
	l := w.far
	w.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	far, err := l.DialContext(ctx)
	if err != nil {
		return nil, err
	}
	theirs, near := net.Pipe()
	k := &link{who: who, near: near, far: far, ended: make(chan struct{})}
	k.end = sync.OnceFunc(func() { close(k.ended) })
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.far != l { // it went down meanwhile
		near.Close()
		far.Close()
		return nil, errors.New("connection refused")
	}
	w.links[k] = struct{}{}
	w.running.Go(func() { w.carry(k) })
	return theirs, nil
}

// carry moves bytes both ways until an end is closed or the link is reset.
func (w *wire) carry(k *link) {
	var ways sync.WaitGroup
	ways.Go(func() { k.move(k.near, k.far, w.way(direction{k.who, true})) })
	ways.Go(func() {
		k.move(k.far, k.near, w.way(direction{k.who, false}))
		if !k.silent.Load() {
			k.end()
		}
	})
	<-k.ended
	k.near.Close()
	k.far.Close()
	ways.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.links, k)
}

// move reads from one pipe and writes to the other, each in its time and in order. That a connection has ended is news
// that travels behind all that was sent before.
func (k *link) move(from, to net.Conn, y *way) {
	sent := make(chan []byte, 1024) // beyond that the sender waits, as for a full window
	var reading sync.WaitGroup
	defer reading.Wait()
	reading.Go(func() {
		defer close(sent)
		for {
			b := make([]byte, 16<<10)
			n, err := from.Read(b)
			if n > 0 {
				sent <- b[:n]
			}
			if err != nil {
				return
			}
		}
	})
	for b := range sent {
		if !y.pass(k.ended) || k.silent.Load() {
			break
		}
		if _, err := to.Write(b); err != nil {
			break
		}
	}
	if k.silent.Load() {
		for range sent { // nobody hears it
		}
	} else {
		y.pass(k.ended)
	}
	if from == k.near {
		k.end()
	}
	for range sent { // if the link was reset: from is closed soon
	}
}

// reset breaks the connections of who, or all if who is empty: each end learns of it at once.
func (w *wire) reset(who string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k := range w.links {
		if who == "" || k.who == who {
			k.end()
		}
	}
}

// unplug takes the scheduler off the network: nothing that it sends from now on arrives. If quietly, those who are
// connected have to find out for themselves, as when a machine loses its power.
func (w *wire) unplug(quietly bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.far = nil
	for k := range w.links {
		k.silent.Store(true)
		k.far.Close()
		if !quietly {
			k.end()
		}
	}
}
