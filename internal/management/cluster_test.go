package management_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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
	"carillon/internal/management"
	pb "carillon/internal/managementv1"
	"carillon/internal/memnet"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
	"carillon/internal/when"
)

// Of a clusterWorld.
const (
	partitions = 8
	lease      = 2 * time.Second
)

// A clusterWorld is a cluster of nodes on a store in memory, each with a management API.
type clusterWorld struct {
	t       *testing.T
	cluster *clustertest.Cluster
	log     *slog.Logger
	nodes   []*clusterNode // those that run

	mu    sync.Mutex // guards the field below
	ports map[string]*port
}

// A clusterNode is one node.
type clusterNode struct {
	*forward.Router
	id     string
	client pb.ManagementClient
}

// A port is the port of a node for other nodes.
type port struct {
	*memnet.Listener

	mu    sync.Mutex // guards the fields below
	down  bool
	conns []net.Conn
}

// dial connects to the port, unless it is down.
func (p *port) dial(ctx context.Context) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, errors.New("connection refused")
	}
	c, err := p.DialContext(ctx)
	p.conns = append(p.conns, c)
	return c, err
}

// breakDown closes all connections, and refuses further ones.
func (p *port) breakDown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for _, c := range p.conns {
		c.Close()
	}
}

// runCluster calls f in fake time with a cluster of three nodes. No sidecar is connected: jobs that
// are due stay so.
func runCluster(t *testing.T, f func(t *testing.T, w *clusterWorld)) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
		st, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true}, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
		w := &clusterWorld{t: t, log: log, cluster: clustertest.New(partitions, lease, st), ports: map[string]*port{}}
		for range 3 {
			w.start()
		}
		w.settle()
		f(t, w)
	})
}

// settle waits until each partition has an owner that runs.
func (w *clusterWorld) settle() {
	w.t.Helper()
	time.Sleep(3 * lease)
	for _, n := range w.nodes {
		if err := n.Health(); err != nil {
			w.t.Fatalf("node %s: %v", n.id, err)
		}
	}
}

// start starts a node, which runs until the end of the test.
func (w *clusterWorld) start() {
	w.mu.Lock()
	id := fmt.Sprintf("node-%d", len(w.ports))
	peers := &port{Listener: memnet.Listen()}
	w.ports[id] = peers
	w.mu.Unlock()
	log := w.log.With(slog.String("node", id))
	e := engine.New(engine.Config{Partitions: partitions, Shared: true}, w.cluster.For(id), &app{absent: true}, log)
	n := &clusterNode{id: id, Router: forward.New(forward.Config{ID: id, Dial: w.dial}, e, log)}
	service := scheduler.New(scheduler.Config{Peer: n.Router, PeerSecret: id}, n.Router, dispatch.New(dispatch.Config{}), log)
	server := management.New(management.Config{Jobs: e, Progress: n.Progress}, log)
	api := memnet.Listen()
	ctx, stop := context.WithCancel(w.t.Context())
	var stops []func()
	run := func(f func(context.Context) error) {
		ctx, cancel := context.WithCancel(ctx)
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
	run(n.Run)
	run(func(ctx context.Context) error { return service.Run(ctx, peers.Listener) })
	run(func(ctx context.Context) error {
		return cluster.Run(ctx, cluster.Config{
			Node:         cluster.Node{ID: id, Addr: id, Secret: id, Format: record.Format},
			RunPartition: func(ctx context.Context, p int, c cluster.Claim) { e.RunPartition(ctx, p, c) },
			OnView:       n.Follow,
		}, w.cluster, log)
	})
	run(func(ctx context.Context) error { return server.Run(ctx, api) })
	conn, err := grpc.NewClient("passthrough:///localhost", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return api.DialContext(ctx) }))
	if err != nil {
		w.t.Fatal(err)
	}
	n.client = pb.NewManagementClient(conn)
	w.nodes = append(w.nodes, n)
	w.t.Cleanup(func() {
		conn.Close()
		w.cluster.Cut(id, false)
		for _, stop := range slices.Backward(stops) {
			stop()
		}
		stop()
	})
}

// dial connects to the node of that id.
func (w *clusterWorld) dial(id string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+id, append(options,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, id string) (net.Conn, error) {
			w.mu.Lock()
			p := w.ports[id]
			w.mu.Unlock()
			return p.dial(ctx)
		}),
	)...)
}

// kill stops a node abruptly, as far as others see it: it writes nothing more, its lease is not
// renewed, and its connections break.
func (w *clusterWorld) kill(n *clusterNode) {
	w.cluster.Cut(n.id, true)
	w.mu.Lock()
	p := w.ports[n.id]
	w.mu.Unlock()
	p.breakDown()
	w.nodes = slices.DeleteFunc(w.nodes, func(other *clusterNode) bool { return other == n })
}

// random returns one of the nodes that run.
func (w *clusterWorld) random(r *rand.Rand) *clusterNode { return w.nodes[r.IntN(len(w.nodes))] }

// change changes a random job by a node, and in the model. What a lost node did not acknowledge is
// done again.
func (w *clusterWorld) change(r *rand.Rand, n *clusterNode, model map[job.Key]modelJob) job.Key {
	w.t.Helper()
	k := randomKey(r)
	j := modelJob{key: k, state: pb.Job_SCHEDULED, ext: randomExt(r)}
	due := time.Now().Add(1000 * time.Hour)
	remove := false
	switch r.IntN(3) {
	case 0:
		remove = true
	case 1:
		due, j.state = time.Now(), pb.Job_OVERDUE
	}
	spec := job.Spec{Plan: when.Plan{First: due.UTC().Round(0)}, Policy: job.DefaultPolicy(), AppID: k.Target.Name, Ext: j.ext}
	if k.Target.Kind == job.Actor {
		spec.AppID = "owner"
	}
	for try := 0; ; try++ {
		var err error
		if remove {
			err = n.Delete(w.t.Context(), k)
		} else {
			err = n.Schedule(w.t.Context(), k, spec, true)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, job.ErrUnavailable) || try == 20 {
			w.t.Fatalf("change %v by %s: %v", k, n.id, err)
		}
		time.Sleep(lease / 4)
	}
	if remove {
		delete(model, k)
	} else {
		model[k] = j
	}
	return k
}

// TestClusterListsAgreeWithModel changes jobs at random, kills nodes while another one reads pages,
// and compares what each of them lists with a naive model.
func TestClusterListsAgreeWithModel(t *testing.T) {
	for seed := range uint64(3) {
		runCluster(t, func(t *testing.T, w *clusterWorld) {
			r := rand.New(rand.NewPCG(seed, 7))
			model := map[job.Key]modelJob{}
			unknown := 0 // states of jobs of lost nodes
			for range 8 {
				for range 40 {
					w.change(r, w.random(r), model)
				}
				unknown += w.listWhileNodesDie(r, model)
				w.settle()
				for _, n := range w.nodes {
					for range 4 {
						randomQuery(r, true).compare(t.Context(), t, n.client, 1+r.IntN(20), model)
					}
				}
			}
			if unknown == 0 {
				t.Error("no list was read while a node was lost: this proves nothing")
			}
		})
	}
}

// listWhileNodesDie lists jobs by one node while another one is killed, and jobs change. Each job
// that is not changed meanwhile is listed once, in order. It returns how many have an unknown
// state.
func (w *clusterWorld) listWhileNodesDie(r *rand.Rand, model map[job.Key]modelJob) (unknown int) {
	w.t.Helper()
	reader, victim := w.nodes[0], w.nodes[1]
	if r.IntN(2) == 0 {
		reader, victim = w.nodes[2], w.nodes[0]
	}
	q := randomQuery(r, false)
	before := map[string]modelJob{}
	for _, j := range q.of(model) {
		before[nameOf(j.key)] = j
	}
	changed := map[string]bool{}
	var killing sync.WaitGroup
	kill := sync.OnceFunc(func() {
		killing.Go(func() { w.kill(victim) }) // while the next page is read
	})
	if r.IntN(2) == 0 {
		kill()
	}
	got, unreachable := q.list(w.t.Context(), w.t, reader.client, 1+r.IntN(9), func() {
		if r.IntN(3) == 0 {
			kill()
		}
		if r.IntN(3) == 0 {
			changed[nameOf(w.change(r, reader, model))] = true
		}
		if r.IntN(3) == 0 {
			time.Sleep(time.Duration(r.Int64N(int64(lease))))
		}
	})
	kill()
	killing.Wait()
	w.start()
	seen := map[string]bool{}
	for i, j := range got {
		name := j.GetName()
		if seen[name] {
			w.t.Errorf("%s is listed twice", name)
		}
		seen[name] = true
		if i > 0 && compareNames(got[i-1].GetName(), name) >= 0 {
			w.t.Errorf("%s is listed behind %s", name, got[i-1].GetName())
		}
		want, lasts := before[name]
		switch {
		case changed[name]:
		case !lasts:
			w.t.Errorf("%s is listed, which %s, %s does not select", name, q.parent, q.filter)
		case j.GetState() == pb.Job_UNKNOWN && want.state == pb.Job_OVERDUE && len(unreachable) > 0:
			unknown++
		case j.GetState() != want.state:
			w.t.Errorf("%s is %v, want %v; unreachable %v", name, j.GetState(), want.state, unreachable)
		}
	}
	for name := range before {
		if !seen[name] && !changed[name] {
			w.t.Errorf("%s is not listed by %s, %s", name, q.parent, q.filter)
		}
	}
	return unknown
}

// compareNames compares the names of jobs in the order of a list.
func compareNames(a, b string) int { return byKey(modelJob{key: keyOf(a)}, modelJob{key: keyOf(b)}) }

// keyOf is the inverse of nameOf.
func keyOf(name string) job.Key {
	p := strings.Split(name, "/")
	if p[2] == "apps" {
		return appKey(p[1], p[3], p[5])
	}
	return job.Key{Target: job.Target{Kind: job.Actor, Namespace: p[1], Name: p[3]}, ActorID: p[5], Name: p[7]}
}
