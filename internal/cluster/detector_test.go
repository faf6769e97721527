package cluster_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/cluster"
	"carillon/internal/store/etcdmember/etcdtest"
)

// member reports whether a node of that name is one.
func member(t *testing.T, m *etcdtest.Memory, node string) bool {
	t.Helper()
	r, err := m.Range(t.Context(), &etcdserverpb.RangeRequest{Key: []byte("carillon/cluster/node/" + node)})
	if err != nil {
		t.Fatal(err)
	}
	return len(r.GetKvs()) > 0
}

// ends reports whether the request ends a session whose heartbeats have ended.
func ends(request any) bool {
	r, ok := request.(*etcdserverpb.TxnRequest)
	return ok && len(r.GetCompare()) == 1 && r.GetCompare()[0].GetTarget() == etcdserverpb.Compare_MOD &&
		strings.Contains(string(r.GetCompare()[0].GetKey()), "/heartbeat/")
}

// lost runs two nodes, cuts one off, and returns how long it is a member yet, and in how many tries it was ended. Of those
// the first refused fail.
func lost(t *testing.T, broken, refused int) (lasts time.Duration, tries int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		m.Unwatchable = broken > 0
		var mu sync.Mutex
		m.Before = func(_ context.Context, request any) error {
			mu.Lock()
			defer mu.Unlock()
			if !ends(request) {
				return nil
			}
			if tries++; tries <= refused {
				return errors.New("etcd has no leader")
			}
			return nil
		}
		a, _ := join(t, m, "a", "a")
		join(t, m, "b", "b")
		time.Sleep(10*ttl + ttl/10) // between two heartbeats
		if tries != 0 {
			t.Errorf("a session that shows heartbeats was ended")
		}
		m.Cut("b", true)
		began := time.Now()
		for member(t, m, "b") && time.Since(began) < 10*ttl {
			time.Sleep(time.Millisecond)
		}
		lasts = time.Since(began)
		time.Sleep(ttl)
		if !a.Alive() || !member(t, m, "a") {
			t.Error("the node that ends the session of the other is lost itself")
		}
		m.Cut("b", false)
	})
	return lasts, tries
}

func TestSessionWithoutHeartbeatsIsEndedByAnotherLongBeforeItsLeaseEnds(t *testing.T) {
	if lasts, tries := lost(t, 0, 0); tries != 1 || lasts < ttl-ttl/5 || lasts > ttl {
		t.Errorf("a node that shows no heartbeats any more was ended after %v in %d tries, want %v after the latest, in one", lasts, tries, ttl)
	}
}

func TestSessionIsEndedThoughEtcdRefusesThatAtFirst(t *testing.T) {
	if lasts, tries := lost(t, 0, 3); tries != 4 || lasts < ttl || lasts > ttl+500*time.Millisecond {
		t.Errorf("etcd was asked %d times to end a session, which took %v; want 4 times, a tenth of a second apart", tries, lasts)
	}
}

func TestSessionIsEndedThoughHeartbeatsCannotBeWatched(t *testing.T) {
	if lasts, tries := lost(t, 1, 0); tries != 1 || lasts < ttl-ttl/5 || lasts > 2*ttl {
		t.Errorf("where watches are broken, a node that shows no heartbeats any more was ended after %v in %d tries, want about %v", lasts, tries, ttl)
	}
}

func TestNodeThatLeavesIsNoMemberAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		_, leave := join(t, m, "a", "a")
		began := time.Now()
		if err := leave(); err != nil {
			t.Errorf("Join = %v", err)
		}
		if member(t, m, "a") || time.Since(began) > 0 {
			t.Errorf("the node is a member yet %v after it has left", time.Since(began))
		}
		left, err := m.Client(t, "reader").Get(t.Context(), "carillon/", clientv3.WithPrefix())
		if err != nil || left.Count > 0 {
			t.Errorf("it has left %d keys, %v: %v", left.Count, err, left.Kvs)
		}
	})
}

func TestLeaseIsRenewedAFewTimesInItsLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		var renewals, heartbeats atomic.Int32
		m.Before = func(_ context.Context, request any) error {
			switch r := request.(type) {
			case *etcdserverpb.LeaseKeepAliveRequest:
				renewals.Add(1)
			case *etcdserverpb.TxnRequest:
				if strings.Contains(r.String(), "/heartbeat/") {
					heartbeats.Add(1)
				}
			}
			return nil
		}
		join(t, m, "a", "a")
		time.Sleep(40 * ttl) // a lease is four times as long
		if n := renewals.Load(); n < 35 || n > 45 {
			t.Errorf("in ten lengths of a lease it was renewed %d times, want 40", n)
		}
		if n := heartbeats.Load(); n < 195 || n > 205 {
			t.Errorf("in the time of 200 heartbeats there were %d", n)
		}
	})
}

// A stubborn session lets go of nothing.
type stubborn struct {
	*flaky

	releases *atomic.Int32
}

func (s stubborn) Join(ctx context.Context, _ cluster.Node, do func(context.Context, cluster.Session)) error {
	do(ctx, s)
	return nil
}

func (s stubborn) Release(context.Context, int) error {
	s.releases.Add(1)
	return errors.New("etcd has no leader")
}

func (stubborn) Views(ctx context.Context) iter.Seq2[cluster.View, error] {
	return func(yield func(cluster.View, error) bool) {
		_ = yield(cluster.View{Owners: []string{"a"}}, nil) && yield(cluster.View{Owners: []string{"b"}}, nil)
		<-ctx.Done()
	}
}

func TestPartitionThatCannotBeLetGoIsTriedTenTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		s := stubborn{releases: new(atomic.Int32)}
		cfg := cluster.Config{
			Node: cluster.Node{ID: "a"}, Own: func(ctx context.Context, _ int, _ cluster.Claim) { <-ctx.Done() },
		}
		if err := cluster.Run(ctx, cfg, s, logTo(t)); err != nil {
			t.Error(err)
		}
		if n := s.releases.Load(); n < 95 || n > 130 {
			t.Errorf("in ten seconds it was tried %d times to let go of a partition, want a hundred", n)
		}
	})
}

// A swing coordinator has a partition go to another node and come back.
type swing struct{ *flaky }

func (s swing) Join(ctx context.Context, _ cluster.Node, do func(context.Context, cluster.Session)) error {
	do(ctx, s)
	return nil
}

func (swing) Views(ctx context.Context) iter.Seq2[cluster.View, error] {
	return func(yield func(cluster.View, error) bool) {
		for _, owner := range []string{"a", "b", "b", "a", "a", "b", "a"} {
			if !yield(cluster.View{Owners: []string{owner}}, nil) {
				return
			}
			time.Sleep(time.Second)
		}
		<-ctx.Done()
	}
}

func TestPartitionThatComesBackIsOwnedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var times, now atomic.Int32
		cfg := cluster.Config{
			Node: cluster.Node{ID: "a"},
			Own: func(ctx context.Context, _ int, _ cluster.Claim) {
				times.Add(1)
				now.Add(1)
				<-ctx.Done()
				now.Add(-1)
			},
		}
		time.AfterFunc(30*time.Second, func() {
			if now.Load() != 1 {
				t.Errorf("a partition that has come back is kept %d times, want once", now.Load())
			}
		})
		if err := cluster.Run(ctx, cfg, swing{}, logTo(t)); err != nil {
			t.Error(err)
		}
		if times.Load() != 3 {
			t.Errorf("a partition that came three times was kept %d times", times.Load())
		}
	})
}

func TestLeaseIsFourTimesAsLongAsOthersWaitInWholeSeconds(t *testing.T) {
	for wait, want := range map[time.Duration]int64{2 * time.Second: 8, 2300 * time.Millisecond: 10, 0: 12} {
		synctest.Test(t, func(t *testing.T) {
			m := etcdtest.NewMemory(t)
			got := int64(0)
			m.Before = func(_ context.Context, request any) error {
				if r, ok := request.(*etcdserverpb.LeaseGrantRequest); ok {
					got = r.GetTTL()
				}
				return nil
			}
			c := cluster.NewEtcd(cluster.EtcdConfig{TTL: wait}, m.Client(t, "a"), logTo(t))
			if err := c.Join(t.Context(), cluster.Node{ID: "a"}, func(context.Context, cluster.Session) {}); err != nil {
				t.Error(err)
			}
			if got != want {
				t.Errorf("where others wait %v for a heartbeat, the lease is %d s long, want %d", wait, got, want)
			}
		})
	}
}
