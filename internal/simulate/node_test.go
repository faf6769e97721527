package simulate_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/memnet"
	"carillon/internal/pause"
	"carillon/internal/scheduler"
	"carillon/internal/store"
	"carillon/internal/store/pebblestore"
)

// A node is one life of the scheduler: from its start to its end, or to that of its power.
type node struct {
	host  *host
	world *world
	life  int
	disk  *disk

	stop   func()        // asks it to end
	once   sync.Once     // of its end
	gone   chan struct{} // closed when it is no part of the world any more
	next   *disk         // what the next life stands on, once it is gone
	down   atomic.Int64  // how long until then, in nanoseconds
	dead   atomic.Bool   // its power was cut
	paused atomic.Bool   // it sends nothing

	fuse
	metrics metrics
}

// startNode starts a life. What is left of it when it is gone runs on unseen, and has ended when the world has.
func (m *host) startNode(ctx context.Context, life int, d *disk) *node {
	ctx, stop := context.WithCancel(ctx)
	n := &node{host: m, world: m.world, life: life, disk: d, stop: stop, gone: make(chan struct{})}
	n.down.Store(int64(time.Second))
	m.world.history.add(event{what: began, who: m.address, life: life})
	m.world.running.Go(func() {
		defer stop()
		n.leave(n.run(ctx))
	})
	return n
}

// leave removes the node from the world, unless it has left already.
func (n *node) leave(how string) {
	n.once.Do(func() {
		n.host.wire.unplug(false)
		n.world.history.end(n.life, how, &n.metrics)
		n.next = n.disk
		close(n.gone)
	})
}

// cut takes its power away.
func (n *node) cut(f faultProgram, op string) {
	n.once.Do(func() {
		n.dead.Store(true)
		n.host.wire.unplug(f.quietly) // first: whatever arrives was sent before the disk changes
		how := fmt.Sprintf("its power is cut before %s; %d%% of what is not synced are kept", op, f.percent)
		n.world.history.end(n.life, how, &n.metrics)
		if n.next = n.disk; n.world.etcd == nil {
			n.next = n.disk.crash(f.percent, random(n.world.program.seed, "crash", n.life))
		}
		n.down.Store(int64(f.lasts))
		n.stop()
		close(n.gone)
	})
}

// run is the node: the parts of a scheduler node, stopped in the order in which they are in package app. It returns why
// it has ended.
func (n *node) run(ctx context.Context) string {
	log := n.world.log.With(slog.Int("life", n.life))
	p := n.world.program
	now := n.host.clock.now
	if plant := n.world.plant.now; plant != nil {
		now = func() time.Time { return plant(n.host.clock.now()) }
	}
	cfg := engine.Config{Partitions: p.partitions, Loops: p.loops, Turn: p.turn, MaxInFlight: p.inFlight, Metrics: &n.metrics, Now: now}
	if n.world.plant.silent {
		cfg.Metrics = nil
	}
	var kept store.Store
	etcdConn := n.host.etcdConn(n)
	var wait func(context.Context) error // nil: the etcd does not fail
	closeStore := func() error { return nil }
	if etcdConn != nil {
		kept, cfg.Shared = etcdConn, true
	} else {
		st, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: n.disk.fs(), NoTickers: true, CacheBytes: 1 << 20}, log)
		if err != nil {
			return "it cannot start: " + err.Error()
		}
		kept, cfg.Full, wait, closeStore = st, st.Full, st.Wait, st.Close
	}
	if plant := n.world.plant.store; plant != nil {
		kept = plant(kept)
	}
	d := dispatch.New(dispatch.Config{MaxInFlight: p.maxOut})
	var e *engine.Engine
	partition := func(k job.Key) int { return e.Partition(k) }
	var deliver engine.Deliverer = deliverProbe{d, n.world.history, n.life, partition}
	if plant := n.world.plant.deliver; plant != nil {
		deliver = plant(deliver)
	}
	e = engine.New(cfg, storeProbe{kept, n.world.history, n.life, etcdConn != nil}, deliver, log)
	var jobs scheduler.Jobs = e
	service := scheduler.Config{Hosts: n.world.addresses(), Now: now}
	check, member := e.Health, &member{node: n, engine: e, dispatch: d}
	if etcdConn != nil {
		member.join(etcdConn, log)
		jobs, check = member.router, member.health
		service.Hosts, service.Peer, service.PeerSecret = nil, member.router, member.secret()
	}
	if plant := n.world.plant.jobs; plant != nil {
		jobs = plant(jobs)
	}
	s := scheduler.New(service, jobsProbe{jobs, n.world.history, n.life, partition}, d, log)

	l := memnet.Listen()
	steady, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var watching, engineRuns sync.WaitGroup
	reason := "it has stopped"
	if wait != nil {
		watching.Go(func() {
			if err := wait(steady); err != nil {
				reason = err.Error()
				n.stop()
			}
		})
	}
	watching.Go(func() { n.watchHealth(steady, check) })
	engineCtx, stopEngine := context.WithCancel(steady)
	defer stopEngine()
	var broken error
	engineRuns.Go(func() {
		if broken = e.Run(engineCtx); broken != nil {
			n.stop()
		}
	})
	n.host.wire.plug(l, &n.dead)
	member.run(ctx, steady, s, func(ctx context.Context) {
		if err := s.Run(ctx, l, scheduler.Keepalive()); err != nil {
			panic(err)
		}
	})
	stopEngine()
	engineRuns.Wait()
	stop()
	watching.Wait()
	if broken != nil {
		reason = broken.Error()
	}
	if err := closeStore(); err != nil {
		reason += ", and " + err.Error()
	}
	return reason
}

// healthPeriod is the period of health checks of a node.
const healthPeriod = time.Second

func (n *node) watchHealth(ctx context.Context, check func() error) {
	last := "nobody has asked"
	for {
		err := check()
		if plant := n.world.plant.health; plant != nil {
			err = plant(err)
		}
		text := errorText(err)
		if n.paused.Load() {
			text = "it does not answer"
		}
		if (text == "") != (last == "") {
			n.world.history.add(event{what: health, life: n.life, text: text})
		}
		last = text
		if !pause.For(ctx, healthPeriod) {
			return
		}
	}
}

// metrics are those of the engine that checkers look at. It is a [prometheus.Registerer] for one engine.
type metrics struct {
	mu          sync.Mutex // guards the fields below
	redelivered prometheus.Counter
	turns       prometheus.Histogram // that commands have waited
}

// Register implements [prometheus.Registerer].
func (m *metrics) Register(one prometheus.Collector) error {
	m.MustRegister(one)
	return nil
}

// MustRegister implements [prometheus.Registerer].
func (m *metrics) MustRegister(all ...prometheus.Collector) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range all {
		switch found := one.(type) {
		case prometheus.Histogram:
			if strings.Contains(found.Desc().String(), "carillon_command_turns") {
				m.turns = found
			}
		case prometheus.Counter:
			if strings.Contains(found.Desc().String(), "carillon_redeliveries_total") {
				m.redelivered = found
			}
		}
	}
}

// Unregister implements [prometheus.Registerer].
func (m *metrics) Unregister(prometheus.Collector) bool { return false }

// read returns how many attempts were redelivered, and how many turns a command has waited at most:
// the bound of the bucket that holds it.
func (m *metrics) read() (redelivered int, turns float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.redelivered == nil {
		return 0, 0
	}
	r := prometheus.NewRegistry()
	r.MustRegister(m.redelivered, m.turns)
	families, err := r.Gather()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		one := f.GetMetric()[0]
		if f.GetName() == "carillon_redeliveries_total" {
			redelivered = int(one.GetCounter().GetValue())
			continue
		}
		below, h := uint64(0), one.GetHistogram()
		for _, b := range h.GetBucket() {
			if b.GetCumulativeCount() > below {
				below, turns = b.GetCumulativeCount(), b.GetUpperBound()
			}
		}
		if h.GetSampleCount() > below {
			turns = math.Inf(1)
		}
	}
	return redelivered, turns
}
