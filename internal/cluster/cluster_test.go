package cluster_test

import (
	"context"
	"errors"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/cluster"
	"carillon/internal/store"
	"carillon/internal/store/etcdmember/etcdtest"
)

func TestJoiningNodeMovesFewPartitions(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		w.start("a")
		w.settle("a")
		w.start("b")
		w.settle("a", "b")
		before := w.now()
		w.start("c")
		w.settle("a", "b", "c")
		moved := 0
		for p, o := range w.now() {
			switch {
			case o.node == "c":
				moved++
			case o.node != before[p].node || o.times != before[p].times:
				t.Errorf("partition %d went from %s to %s and had %d owners", p, before[p].node, o.node, o.times)
			}
		}
		if moved != partitions/3 {
			t.Errorf("%d partitions moved, want %d", moved, partitions/3)
		}
	})
}

func TestStoppedNodeHandsOverAtOnce(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		w.start("a")
		w.start("b")
		stop := w.start("c")
		w.settle("a", "b", "c")
		begin := time.Now()
		stop()
		w.settle("a", "b")
		took := time.Since(begin)
		t.Logf("its share is owned again after %v", took)
		if took > time.Second/2 {
			t.Errorf("after %v; that is waiting for the end of a lease", took)
		}
	})
}

func TestLostNodeIsReplacedAndFenced(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		w.start("a")
		w.start("b")
		w.start("paused")
		w.settle("a", "b", "paused")
		before := w.now()

		w.cut("paused", true)
		t.Logf("its share is owned again after %v", w.settle("a", "b"))
		for i, o := range w.now() {
			if b := before[i]; b.node != "paused" && o.times != b.times {
				t.Errorf("partition %d of %s, which was not lost, had another owner", i, b.node)
			} else if b.node == "paused" && b.claim.Alive() {
				t.Errorf("the lost node believes that it owns partition %d", i)
			} else if b.node == "paused" {
				refused(t, w, b.fence)
			}
		}
		w.cut("paused", false)
		w.settle("a", "b", "paused") // it is there again by itself
		for _, b := range before {
			if b.node == "paused" && b.claim.Alive() {
				t.Error("a lost session is alive again")
			}
		}
	})
}

// refused fails the test unless etcd refuses what compares this fence.
func refused(t *testing.T, w *world, f store.Fence) {
	t.Helper()
	resp, err := w.client("reader").Txn(t.Context()).
		If(clientv3.Compare(clientv3.ModRevision(f.Key), "=", f.Revision)).Then(clientv3.OpPut("x", "y")).Commit()
	if err != nil || resp.Succeeded {
		t.Errorf("a write with the fence %v of a lost owner: %v, want that it is refused", f, err)
	}
}

func TestClusterStopsWithoutMajorityAndResumes(t *testing.T) {
	t.Parallel()
	cfg := etcdtest.Config(t)
	endpoints, stop := etcdtest.Run(t, cfg)
	w := &world{t: t, log: logTo(t), client: func(string) *clientv3.Client { return client(t, endpoints[0]) }}
	w.start("a")
	w.start("b")
	w.settle("a", "b")
	stop()
	eventually(t, func() error {
		for _, o := range w.now() {
			if o.node != "" {
				return errors.New("somebody owns something")
			}
		}
		return nil
	})
	etcdtest.Run(t, cfg)
	w.settle("a", "b")
}

// Node c does not say which format of records it reads, as an older version.
func TestViewsHaveSecretsAndFormats(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		w.start("a")
		w.start("b")
		w.settle("a", "b")
		err := w.coordinator("c").Join(t.Context(), cluster.Node{ID: "c", Addr: "c:1", Secret: "of c"}, func(ctx context.Context, s cluster.Session) {
			for v, err := range s.Views(ctx) {
				if err != nil {
					t.Error(err)
				}
				for _, m := range v.Members {
					if m.Secret != "of "+m.ID {
						t.Errorf("the secret of %s is %q", m.ID, m.Secret)
					}
					if want := map[bool]int{true: 1, false: 2}[m.ID == "c"]; m.Format != want {
						t.Errorf("the format of %s is %d, want %d", m.ID, m.Format, want)
					}
				}
				if len(v.Members) == 3 {
					return
				}
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestNodeIDIsTakenUntilItsLeaseEnds(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		join := func(name string, do func(context.Context, cluster.Session)) {
			if err := w.coordinator("a").Join(t.Context(), cluster.Node{ID: name}, do); err != nil {
				t.Error(err)
			}
		}
		inside := false
		join("a", func(ctx context.Context, _ cluster.Session) {
			inside = true
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			err := w.coordinator("a").Join(ctx, cluster.Node{ID: "a"}, func(context.Context, cluster.Session) {
				t.Error("two nodes have one name")
			})
			if err != nil {
				t.Errorf("Join when its time is up: %v", err)
			}
		})
		again := false
		join("a", func(context.Context, cluster.Session) { again = true })
		if !inside || !again {
			t.Errorf("joined first: %v, and after that: %v", inside, again)
		}
	})
}

func TestNewFenceInvalidatesThePrevious(t *testing.T) {
	inBoth(t, func(t *testing.T, w *world) {
		err := w.coordinator("a").Join(t.Context(), cluster.Node{ID: "a"}, func(ctx context.Context, s cluster.Session) {
			first, err := s.Claim(ctx, 3)
			if err != nil {
				t.Fatal(err)
			}
			second, err := s.Claim(ctx, 3)
			if err != nil {
				t.Fatal(err)
			}
			if first.Key != second.Key || first.Revision >= second.Revision {
				t.Errorf("fences %v and then %v, want one claim and a later revision", first, second)
			}
			refused(t, w, first)
			if err := s.Release(ctx, 3); err != nil {
				t.Error(err)
			}
			refused(t, w, second)
		})
		if err != nil {
			t.Error(err)
		}
	})
}
