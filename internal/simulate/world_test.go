package simulate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc/backoff"

	"carillon/internal/cluster/clustertest"
	"carillon/internal/engine"
	"carillon/internal/pause"
	"carillon/internal/scheduler"
	"carillon/internal/store"
)

const namespace = "default"

var quickBackoff = backoff.Config{BaseDelay: 500 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second}

// A plant is a bug that is put into a node, for a checker to find. What is nil is as it should be.
type plant struct {
	jobs    func(scheduler.Jobs) scheduler.Jobs     // what users ask of the engine
	store   func(store.Store) store.Store           // what the engine asks of the store
	deliver func(engine.Deliverer) engine.Deliverer // what the engine sends
	app     func(http.Handler) http.Handler         // what comes to an app
	health  func(error) error                       // what a node says of itself
	now     func(time.Time) time.Time               // what a node sees of its clock
	silent  bool                                    // nobody sees its metrics

	unlimited bool // no sidecar tells it of a limit
}

// A world is everything. It lasts for as long as its program says.
type world struct {
	program  *program
	plant    plant
	history  *history
	log      *slog.Logger
	hosts    []*host
	replicas map[string][]*replica  // of each app
	running  sync.WaitGroup         // all that it has started
	lives    atomic.Int64           // of all nodes
	etcd     *clustertest.Agreement // that the nodes share; nil if each has a store of its own
	over     chan struct{}          // closed when the world ends
}

// A host is a machine that a scheduler node runs on, one life after the other.
type host struct {
	world   *world
	address string
	clock   *clock
	wire    *wire // between it and all others
	up      *way  // to etcd
	down    *way  // and back

	mu   sync.Mutex // guards the field below
	node *node      // the present one, which may be gone
}

// simulate lets a world happen, in a bubble of its own, and returns its history.
func simulate(t *testing.T, p *program, pl plant, log io.Writer) *history {
	var h *history
	synctest.Test(t, func(t *testing.T) {
		w := &world{program: p, plant: pl, history: newHistory(), replicas: map[string][]*replica{}, over: make(chan struct{})}
		w.log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		for i := range p.nodes {
			address := fmt.Sprintf("scheduler%d:50006", i+1)
			m := &host{world: w, address: address, clock: &clock{world: w, host: address}, wire: newWire(p.seed, address, &w.running)}
			m.up, m.down = m.wire.way(direction{"etcd", true}), m.wire.way(direction{"etcd", false})
			w.hosts = append(w.hosts, m)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if p.cluster {
			defer w.found(ctx)()
		}
		w.happen(ctx, cancel)
		h = w.history
	})
	return h
}

// happen is the world from its beginning to its end.
func (w *world) happen(ctx context.Context, cancel func()) {
	var users sync.WaitGroup
	for _, m := range w.hosts {
		w.running.Go(func() { m.supervise(ctx) })
		synctest.Wait() // the order in which all come up is the same each time
	}
	for _, a := range w.program.apps {
		for _, c := range a.copies {
			r := newReplica(w, a, c)
			w.replicas[a.id] = append(w.replicas[a.id], r)
			w.running.Go(func() { r.live(ctx) })
			if a.foreign {
				for _, address := range w.addresses() {
					w.running.Go(func() { r.watch(ctx, address) })
				}
			} else {
				w.running.Go(func() { r.attend(ctx) })
			}
			synctest.Wait()
		}
	}
	for _, f := range w.program.faults {
		w.running.Go(func() { w.suffer(ctx, f) })
	}
	for _, p := range w.program.users {
		users.Go(func() { (&user{world: w, program: p}).live(ctx) })
	}
	w.until(ctx, calm)
	w.history.add(event{what: fault, who: "world", text: "all is mended"})
	w.mend()
	w.until(ctx, end)
	users.Wait()
	w.takeStock(ctx)
	w.history.add(event{what: fault, who: "world", text: "ends"})
	cancel()
	close(w.over)
	for _, m := range w.hosts {
		m.wire.reset("")
	}
	w.running.Wait()
}

// takeStock lists what is left in the end.
func (w *world) takeStock(ctx context.Context) {
	u := &user{world: w, program: userProgram{name: "inspector", direct: true}}
	defer u.connect()()
	for _, a := range w.program.apps {
		u.do(ctx, step{op: list, app: a.id})
	}
}

// supervise starts a node again whenever it has ended.
func (m *host) supervise(ctx context.Context) {
	d := newDisk(vfs.NewCrashableMem())
	for ctx.Err() == nil {
		n := m.startNode(ctx, int(m.world.lives.Add(1)), d)
		m.mu.Lock()
		m.node = n
		m.mu.Unlock()
		<-n.gone
		d = n.next
		pause.For(ctx, time.Duration(n.down.Load()))
	}
}

// present returns the node of the present life, which may be gone.
func (m *host) present() *node {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.node
}

func (w *world) since() time.Duration { return time.Since(w.history.began) }

// until waits for a moment of the world, and reports whether ctx lasted until then.
func (w *world) until(ctx context.Context, at time.Duration) bool {
	return pause.For(ctx, at-w.since()) && ctx.Err() == nil
}

// dial connects who to the node at an address.
func (w *world) dial(ctx context.Context, who, address string) (net.Conn, error) {
	for _, m := range w.hosts {
		if m.address == address {
			return m.wire.dial(ctx, who)
		}
	}
	return nil, errors.New("no such host: " + address)
}

// addresses are those of all nodes.
func (w *world) addresses() []string {
	var all []string
	for _, m := range w.hosts {
		all = append(all, m.address)
	}
	return all
}

// app returns an app by its id.
func (p *program) app(id string) appProgram {
	return p.apps[slices.IndexFunc(p.apps, func(a appProgram) bool { return a.id == id })]
}

// suffer lets one thing go wrong, and mends it when its time has come.
func (w *world) suffer(ctx context.Context, f faultProgram) {
	if !w.until(ctx, f.at) {
		return
	}
	w.history.add(event{what: fault, who: "world", text: f.String()})
	m := w.hosts[f.host]
	n := m.present()
	mend := func() {}
	if w.etcd != nil {
		if apart := m.sufferApart(n, f); apart != nil {
			pause.For(ctx, min(f.lasts, calm-w.since()))
			apart()
			w.history.add(event{what: fault, who: "world", text: "it is over: " + string(f.kind)})
			return
		}
	}
	switch f.kind {
	case powerCut:
		n.disk.cutAfter(f.n, func(op string) { n.cut(f, op) })
		if pause.For(ctx, calm-w.since()) { // it writes less than that: cut it while it idles
			n.cut(f, "the next write")
		}
		return
	case stop:
		n.down.Store(int64(f.lasts))
		n.stop()
		return
	case resetLinks:
		m.wire.reset(f.who)
	case killed:
		w.strike(f.who)
	case cutWay:
		mend = m.wire.way(direction{f.who, f.up}).cut()
	case delayed:
		mend = m.delay(time.Duration(f.n) * time.Millisecond)
	case slowDisk:
		n.disk.delay(time.Duration(f.n) * time.Millisecond)
		mend = func() { n.disk.delay(0) }
	case hungDisk:
		mend = n.disk.hang()
	case fullDisk:
		n.disk.fill(scarce)
		mend = func() { n.disk.fill(plenty) }
	case noSpace:
		n.disk.fail(syscall.ENOSPC, false, f.of, f.n)
	case badWrites:
		n.disk.fail(syscall.EIO, false, f.of, f.n)
	case badReads:
		n.disk.fail(syscall.EIO, true, f.of, f.n)
	case paused:
		mend = m.pause(n)
	case clockStep:
		mend = m.clock.step(ctx, time.Duration(f.n)*time.Millisecond)
	}
	pause.For(ctx, min(f.lasts, calm-w.since()))
	mend()
	w.history.add(event{what: fault, who: "world", text: "it is over: " + string(f.kind)})
}

// delay makes the network between a node and everybody else slow.
func (m *host) delay(most time.Duration) (mend func()) {
	set := func(d time.Duration) {
		for _, who := range m.world.everybody() {
			m.wire.way(direction{who, true}).slow(d)
			m.wire.way(direction{who, false}).slow(d)
		}
	}
	set(most)
	return func() { set(0) }
}

// pause makes a node as a process that is stopped is to all others: nothing gets in or out, to its disk neither.
func (m *host) pause(n *node) (resume func()) {
	n.paused.Store(true)
	undo := []func(){n.disk.hang()}
	for _, who := range m.world.everybody() {
		undo = append(undo, m.wire.way(direction{who, true}).cut(), m.wire.way(direction{who, false}).cut())
	}
	return func() {
		for _, f := range undo {
			f()
		}
		n.paused.Store(false)
	}
}

// everybody returns the names of all who connect to schedulers, and that of the etcd.
func (w *world) everybody() []string {
	all := append(w.program.copies(), w.addresses()...)
	for _, u := range w.program.users {
		all = append(all, u.name)
	}
	return append(all, "etcd")
}

// strike kills the sidecar of that name.
func (w *world) strike(name string) {
	for _, all := range w.replicas {
		for _, r := range all {
			if r.program.name == name {
				r.strike()
			}
		}
	}
}

// mend ends whatever is wrong and has not ended by itself.
func (w *world) mend() {
	for _, m := range w.hosts {
		m.present().disk.mend()
		m.present().cutIn.Store(0)
	}
}
