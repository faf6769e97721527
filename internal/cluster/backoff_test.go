package cluster_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"carillon/internal/cluster"
	"carillon/internal/cluster/clustertest"
	"carillon/internal/logtest"
	"carillon/internal/store"
	"carillon/internal/store/etcdmember/etcdtest"
)

// A flaky coordinator lets nobody in, but for the joins with these numbers, and notes when it was asked for what.
type flaky struct {
	lets  []int
	views func(n int) error // what the nth look at the views says

	begin        time.Time
	joins, looks []time.Duration
}

func (f *flaky) Join(ctx context.Context, _ cluster.Node, do func(context.Context, cluster.Session)) error {
	f.joins = append(f.joins, time.Since(f.begin))
	if slices.Contains(f.lets, len(f.joins)) {
		inner, end := context.WithCancelCause(ctx)
		time.AfterFunc(20*time.Second, func() { end(cluster.ErrLost) })
		do(inner, f)
	}
	return errors.New("nobody is let in")
}

func (f *flaky) Views(context.Context) iter.Seq2[cluster.View, error] {
	return func(yield func(cluster.View, error) bool) {
		f.looks = append(f.looks, time.Since(f.begin))
		if err := f.views(len(f.looks)); err != nil {
			yield(cluster.View{}, err)
			return
		}
		if yield(cluster.View{}, nil) {
			time.Sleep(time.Second)
		}
	}
}

func (*flaky) Leave(context.Context) error                     { return nil }
func (*flaky) Claim(context.Context, int) (store.Fence, error) { return store.Fence{}, nil }
func (*flaky) Release(context.Context, int) error              { return nil }
func (*flaky) Alive() bool                                     { return true }

// waits returns the differences of at.
func waits(at []time.Duration) (all []time.Duration) {
	for i := 1; i < len(at); i++ {
		all = append(all, at[i]-at[i-1])
	}
	return all
}

func TestRejoinBacksOffToASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{begin: time.Now(), lets: []int{8}, views: func(int) error { return nil }}
		ctx, stop := context.WithTimeout(t.Context(), 26*time.Second)
		defer stop()
		if err := cluster.Run(ctx, cluster.Config{Node: cluster.Node{ID: "a"}}, f, logTo(t)); err != nil {
			t.Error(err)
		}
		const ms = time.Millisecond
		got := waits(f.joins)
		if want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1000 * ms, 1000 * ms, 1000 * ms}; len(got) < 9 || !slices.Equal(got[:7], want) {
			t.Fatalf("it tried again after %v, want %v and so on", got, want)
		}
		if got[8] != 200*ms {
			t.Errorf("after a session it tried again after %v and %v, want as at first", got[7], got[8])
		}
	})
}

func TestFailedViewsBackOffToASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("etcd does not answer")
		f := &flaky{begin: time.Now(), lets: []int{1}, views: func(n int) error {
			if n == 8 {
				return nil
			}
			return broken
		}}
		var log logtest.Page
		ctx, stop := context.WithTimeout(t.Context(), 9*time.Second)
		defer stop()
		if err := cluster.Run(ctx, cluster.Config{Node: cluster.Node{ID: "a"}}, f, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
			t.Error(err)
		}
		const ms = time.Millisecond
		got := waits(f.looks)
		if want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1000 * ms, 1000 * ms, 1000 * ms}; len(got) < 9 || !slices.Equal(got[:7], want) {
			t.Fatalf("it looked again after %v, want %v and so on", got, want)
		}
		if got[7] != 1100*ms || got[8] != 200*ms {
			t.Errorf("after a view of a second it looked again after %v and %v, want as at first", got[7], got[8])
		}
		// The last may be after the end.
		if n := strings.Count(log.String(), "cannot read the members of the cluster"); n < len(f.looks)-2 || n > len(f.looks)-1 {
			t.Errorf("the log says %d times that it cannot see the cluster, want %d", n, len(f.looks)-1)
		}
	})
}

func TestLeavingNodeSeesTheNextView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agreement := clustertest.New(4, time.Minute, nil)
		var last cluster.View
		var nodes sync.WaitGroup
		start := func(id string, view func(cluster.View)) (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			nodes.Go(func() {
				cfg := cluster.Config{
					Node: cluster.Node{ID: id, Addr: id}, OnView: view,
					RunPartition: func(ctx context.Context, _ int, c cluster.Claim) { _, _ = c.Fence(ctx); <-ctx.Done() },
				}
				if err := cluster.Run(ctx, cfg, agreement, logTo(t)); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(time.Second)
			return cancel
		}
		stopA := start("a", func(v cluster.View) { last = v })
		stopB := start("b", nil)
		stopA()
		time.Sleep(time.Second)
		synctest.Wait()
		if want := []string{"b", "b", "b", "b"}; !slices.Equal(last.Owners, want) {
			t.Errorf("the last view that a was told of has the owners %q, want %q", last.Owners, want)
		}
		stopB()
		nodes.Wait()
	})
}

func TestWaitForNodeIDPollsOnBrokenWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		m.Unwatchable = true
		var asked atomic.Int32
		m.Before = func(_ context.Context, request any) error {
			if r, ok := request.(*etcdserverpb.TxnRequest); ok && strings.Contains(r.String(), "/node/") {
				asked.Add(1)
			}
			return nil
		}
		lease, err := m.Client(t, "other").Grant(t.Context(), 60)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Put(t.Context(), put("carillon/cluster/node/a", int64(lease.ID))); err != nil {
			t.Fatal(err)
		}
		var log logtest.Page
		c := cluster.NewEtcd(cluster.EtcdConfig{Partitions: partitions, TTL: ttl}, m.Client(t, "a"), slog.New(slog.NewTextHandler(&log, nil)))
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		if err := c.Join(ctx, cluster.Node{ID: "a"}, func(context.Context, cluster.Session) { t.Error("two nodes have one name") }); err != nil {
			t.Errorf("Join = %v", err)
		}
		if n := asked.Load(); n < 90 || n > 110 {
			t.Errorf("etcd was asked %d times in ten seconds, want a hundred", n)
		}
		if n := strings.Count(log.String(), "waiting for the previous lease"); n != 1 {
			t.Errorf("the log says %d times that it waits, want once", n)
		}
	})
}

func TestUnchangedViewIsYieldedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		s, _ := join(t, m, "a", "a")
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		yields := 0
		for _, err := range s.Views(ctx) {
			if err == nil {
				yields++
			}
			if yields > 10 {
				break
			}
		}
		if yields != 1 {
			t.Errorf("in a minute in which nothing changed there were %d views or more, want one", yields)
		}
	})
}

// A slow coordinator goes on assigning everything to a node that has left for one more view.
type slow struct{ *flaky }

func (s slow) Join(ctx context.Context, _ cluster.Node, do func(context.Context, cluster.Session)) error {
	do(ctx, s)
	return nil
}

func (slow) Views(context.Context) iter.Seq2[cluster.View, error] {
	return func(yield func(cluster.View, error) bool) {
		for _, owner := range []string{"a", "b"} {
			time.Sleep(time.Second)
			if !yield(cluster.View{Owners: []string{owner}}, nil) {
				return
			}
		}
	}
}

func TestLeavingNodeWaitsUntilItOwnsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Second/2)
		defer stop()
		var told []string
		cfg := cluster.Config{
			Node: cluster.Node{ID: "a"}, OnView: func(v cluster.View) { told = append(told, v.Owners...) },
			RunPartition: func(ctx context.Context, _ int, _ cluster.Claim) { <-ctx.Done() },
		}
		if err := cluster.Run(ctx, cfg, slow{}, logTo(t)); err != nil {
			t.Error(err)
		}
		if len(told) == 0 || told[len(told)-1] != "b" {
			t.Errorf("it was told of the owners %q, want b in the end", told)
		}
	})
}

func TestDefaultIs64Partitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cluster.NewEtcd(cluster.EtcdConfig{}, etcdtest.NewMemory(t).Client(t, "a"), logTo(t))
		err := c.Join(t.Context(), cluster.Node{ID: "a"}, func(ctx context.Context, s cluster.Session) {
			for v, err := range s.Views(ctx) {
				if err != nil || len(v.Owners) != 64 {
					t.Errorf("there are %d partitions, %v; want 64", len(v.Owners), err)
				}
				break
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
}
