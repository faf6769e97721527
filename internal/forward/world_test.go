package forward_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/cluster"
	"carillon/internal/cluster/clustertest"
	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/forward"
	"carillon/internal/job"
	"carillon/internal/memnet"
	"carillon/internal/peerv1"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
	"carillon/internal/when"
)

const (
	partitions = 8
	ttl        = 2 * time.Second
)

// A world is a cluster of whole nodes in fake time, and an app to which all deliver.
type world struct {
	t       *testing.T
	cluster *clustertest.Cluster
	log     *slog.Logger

	mu        sync.Mutex // guards the fields below
	listeners map[string]*memnet.Listener
	got       map[job.Key]map[time.Time]int
	starts    int           // of nodes
	takes     time.Duration // how long the app is at a trigger
	mute      atomic.Value  // a string: the node that does not answer questions
	early     int
	latest    time.Duration
}

// A node is one node of the cluster.
type node struct {
	*forward.Router
	id      string
	engine  *engine.Engine
	service *scheduler.Service
	stop    func() // returns when the node has ended
}

func newWorld(t *testing.T) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	st, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{
		t: t, cluster: clustertest.New(partitions, ttl, st), log: log, takes: time.Millisecond,
		listeners: map[string]*memnet.Listener{}, got: map[job.Key]map[time.Time]int{},
	}
}

// Deliver records a trigger and handles it.
func (w *world) Deliver(tr job.Trigger, done func(job.Outcome), _ func(int)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	late := time.Since(tr.Due)
	if late < 0 {
		w.early++
	}
	w.latest = max(w.latest, late)
	if w.got[tr.Key] == nil {
		w.got[tr.Key] = map[time.Time]int{}
	}
	w.got[tr.Key][tr.Due]++
	time.AfterFunc(w.takes, func() { done(job.Handled) })
	return true
}

func (*world) Withdraw(job.Target, int) {}

// deliveries returns how many occurrences were delivered, and how many redelivered.
func (w *world) deliveries() (occurrences, again int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, dues := range w.got {
		for _, n := range dues {
			occurrences++
			again += n - 1
		}
	}
	return occurrences, again
}

// start runs a node of this version until it is stopped, at the end of the test at the latest.
func (w *world) start(id string) *node { return w.startFormat(id, record.Format) }

// startFormat runs a node of a version that reads records up to the format.
func (w *world) startFormat(id string, format int) *node {
	l := memnet.Listen()
	w.mu.Lock()
	w.listeners[id] = l
	w.starts++
	secret := fmt.Sprint("start ", w.starts)
	w.mu.Unlock()
	log := w.log.With(slog.String("on", id))
	e := engine.New(engine.Config{Partitions: partitions, Shared: true}, w.cluster.For(id), w, log)
	r := forward.New(forward.Config{ID: id, Dial: w.dial, Progress: func(ctx context.Context, keys []job.Key) ([]engine.DueProgress, error) {
		if id == w.mute.Load() {
			<-ctx.Done()
		}
		all, err := e.Progress(ctx, keys)
		for i := range all { // as its sidecars and its store would have it
			all[i].Receivers, all[i].StoreFull = engine.ReceiversFull, true
		}
		return all, err
	}, Reporter: reporter{w, id}}, e, log)
	n := &node{
		Router: r, id: id, engine: e,
		service: scheduler.New(scheduler.Config{Peer: r, Reporter: reporter{w, id}, PeerSecret: secret}, r, dispatch.New(dispatch.Config{}), log),
	}

	var stops []func()
	run := func(f func(context.Context) error) {
		ctx, cancel := context.WithCancel(w.t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f(ctx) }()
		stops = append(stops, func() {
			cancel()
			if err := <-ended; err != nil {
				w.t.Errorf("node %s: %v", id, err)
			}
		})
	}
	run(e.Run)
	run(r.Run)
	run(func(ctx context.Context) error { return n.service.Run(ctx, l) })
	run(func(ctx context.Context) error {
		return cluster.Run(ctx, cluster.Config{
			Node:         cluster.Node{ID: id, Addr: id, Secret: secret, Format: format},
			RunPartition: func(ctx context.Context, p int, c cluster.Claim) { e.RunPartition(ctx, p, c) },
			OnView: func(v cluster.View) {
				r.Follow(v)
				var hosts []string
				for _, m := range v.Members {
					hosts = append(hosts, m.Addr+":50006")
				}
				n.service.SetHosts(hosts)
			},
		}, w.cluster, log)
	})
	n.stop = sync.OnceFunc(func() {
		for len(stops) > 0 {
			stops[len(stops)-1]()
			stops = stops[:len(stops)-1]
		}
	})
	w.t.Cleanup(n.stop)
	return n
}

// A reporter says what shows which node has answered.
type reporter struct {
	w  *world
	id string
}

func (r reporter) Targets(ctx context.Context, q *peerv1.TargetsRequest) (*peerv1.TargetsResponse, error) {
	resp := &peerv1.TargetsResponse{CountedPartitions: 1}
	for range q.GetTargets() {
		resp.Targets = append(resp.Targets, &peerv1.TargetStatus{Streams: []*peerv1.StreamStatus{{AppId: r.id}}})
	}
	return resp, r.wait(ctx)
}

func (r reporter) ConnectedTargets(
	ctx context.Context, q *peerv1.ConnectedTargetsRequest,
) (*peerv1.ConnectedTargetsResponse, error) {
	own := record.TargetKey(job.Target{Kind: job.App, Namespace: q.GetNamespace(), Name: r.id})
	return &peerv1.ConnectedTargetsResponse{Targets: [][]byte{own}}, r.wait(ctx)
}

func (r reporter) Status(ctx context.Context, _ *peerv1.StatusRequest) (*peerv1.NodeStatus, error) {
	return &peerv1.NodeStatus{Version: "of " + r.id}, r.wait(ctx)
}

// wait waits until ctx ends if the node is mute.
func (r reporter) wait(ctx context.Context) error {
	if r.id == r.w.mute.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// three starts as many nodes, and waits until each has its share.
func (w *world) three() []*node {
	w.t.Helper()
	all := []*node{w.start("a"), w.start("b"), w.start("c")}
	time.Sleep(3 * ttl)
	for _, n := range all {
		if err := n.Health(); err != nil {
			w.t.Fatalf("node %s: %v", n.id, err)
		}
	}
	return all
}

// dial connects to the node of that id.
func (w *world) dial(id string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+id, append(options,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, id string) (net.Conn, error) {
			w.mu.Lock()
			l := w.listeners[id]
			w.mu.Unlock()
			if l == nil {
				return nil, errors.New("no such node")
			}
			return l.DialContext(ctx)
		}),
	)...)
}

func key(app, name string) job.Key {
	return job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: app}, Name: name}
}

func number(n int) job.Key { return key("app", fmt.Sprint(n)) }

func once(due time.Time) job.Spec {
	return job.Spec{Plan: when.Plan{First: due.UTC().Round(0)}, Policy: job.DefaultPolicy(), AppID: "app"}
}

func every(first time.Time, d time.Duration) job.Spec {
	s := once(first)
	schedule := "@every " + d.String()
	s.Words.Schedule, s.Plan.Rule = &schedule, when.Every(d)
	return s
}
