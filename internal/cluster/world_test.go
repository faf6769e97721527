package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/cluster"
	"carillon/internal/store"
	"carillon/internal/store/etcdmember/etcdtest"
	"carillon/internal/store/etcdstore"
)

const partitions = 16

// A world is an etcd and the nodes on it. It watches that no partition has two owners.
type world struct {
	t      *testing.T
	client func(name string) *clientv3.Client // a connection to etcd of that name, which is closed when the test ends
	cut    func(name string, cut bool)        // holds all that is on its way over it, or lets that go on
	log    *slog.Logger

	mu     sync.Mutex
	owners [partitions]ownership
}

// An ownership says which node owns a partition now.
type ownership struct {
	node  string
	claim cluster.Claim
	fence store.Fence
	times int // that the partition has changed its owner
}

// inBoth runs the test on an etcd in memory, in fake time, and on a real one where there is one.
func inBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("in memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := etcdtest.NewMemory(t)
			w := &world{t: t, cut: m.Cut, log: logTo(t)}
			w.client = func(name string) *clientv3.Client { return m.Client(t, name) }
			test(t, w)
		})
	})
	t.Run("on etcd", func(t *testing.T) {
		t.Parallel()
		endpoints, _ := etcdtest.Run(t, etcdtest.Config(t))
		proxies := map[string]*proxy{}
		w := &world{t: t, log: logTo(t)}
		w.client = func(name string) *clientv3.Client {
			if proxies[name] == nil {
				proxies[name] = newProxy(t, endpoints[0])
			}
			return client(t, proxies[name].addr)
		}
		w.cut = func(name string, cut bool) {
			if cut {
				proxies[name].held.Lock()
			} else {
				proxies[name].held.Unlock()
			}
		}
		test(t, w)
	})
}

// client returns a connection that is closed when the test ends.
func client(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	s, err := etcdstore.Open(etcdstore.Config{Endpoints: []string{endpoint}}, logTo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Client()
}

func (w *world) coordinator(client string) *cluster.Etcd {
	w.t.Helper()
	return cluster.NewEtcd(cluster.EtcdConfig{Partitions: partitions, TTL: time.Second}, w.client(client), w.log)
}

// start runs a node with a client of its own name, until the test ends or stop has returned.
func (w *world) start(id string) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan struct{})
	c := w.coordinator(id)
	go func() {
		defer close(ended)
		cfg := cluster.Config{
			Node:         cluster.Node{ID: id, Addr: id + ":50006", Secret: "of " + id, Format: 2},
			RunPartition: func(ctx context.Context, p int, c cluster.Claim) { w.own(ctx, id, p, c) },
		}
		if err := cluster.Run(ctx, cfg, c, w.log); err != nil {
			w.t.Error(err)
		}
	}()
	stop = func() { cancel(); <-ended }
	w.t.Cleanup(stop)
	return stop
}

// own is what a node does with a partition.
func (w *world) own(ctx context.Context, node string, p int, c cluster.Claim) {
	fence, err := c.Fence(ctx)
	if err != nil {
		return // it was not to be
	}
	w.mu.Lock()
	if o := w.owners[p]; o.node != "" && o.claim.Alive() {
		w.t.Errorf("%s owns partition %d, which %s owns too", node, p, o.node)
	}
	w.owners[p] = ownership{node: node, claim: c, fence: fence, times: w.owners[p].times + 1}
	w.mu.Unlock()
	<-ctx.Done()
	w.mu.Lock()
	if w.owners[p].claim == c {
		w.owners[p].node = ""
	}
	w.mu.Unlock()
}

// now returns who owns what.
func (w *world) now() [partitions]ownership {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.owners
}

// settle waits until all partitions are owned by these nodes, in equal shares, and returns how long that took.
func (w *world) settle(nodes ...string) time.Duration {
	w.t.Helper()
	begin := time.Now()
	eventually(w.t, func() error {
		counts := map[string]int{}
		for _, o := range w.now() {
			counts[o.node]++
		}
		for node, n := range counts {
			if !slices.Contains(nodes, node) || n > (partitions+len(nodes)-1)/len(nodes) {
				return fmt.Errorf("the nodes own %v", counts)
			}
		}
		return nil
	})
	return time.Since(begin)
}

// eventually fails the test unless do succeeds within some seconds. etcd's time is not the test's: it is real.
func eventually(t *testing.T, do func() error) {
	t.Helper()
	err := errors.New("not tried")
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = do(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func logTo(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }
