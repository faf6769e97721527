package cluster_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"carillon/internal/cluster"
	"carillon/internal/store"
	"carillon/internal/store/etcdmember/etcdtest"
)

const ttl = 2 * time.Second

// join makes a member of a node, with a client of that name, until the test ends or leave has returned.
func join(t *testing.T, m *etcdtest.Memory, client, node string) (s cluster.Session, leave func() error) {
	t.Helper()
	c := cluster.NewEtcd(cluster.EtcdConfig{Partitions: partitions, TTL: ttl}, m.Client(t, client), logTo(t))
	joined, ended := make(chan cluster.Session, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		ended <- c.Join(ctx, cluster.Node{ID: node, Addr: node}, func(ctx context.Context, s cluster.Session) {
			joined <- s
			<-ctx.Done()
		})
	}()
	leave = sync.OnceValue(func() error { stop(); return <-ended })
	t.Cleanup(func() { _ = leave() })
	return <-joined, leave
}

// In fake time a message takes none, so etcd stores a heartbeat, and the others see it, in the
// instant in which it is sent. What takes time is its answer.
func TestSessionStopsAnEighthBeforeItsTTL(t *testing.T) {
	for _, answer := range []time.Duration{0, 400 * time.Millisecond} {
		t.Run("answers after "+answer.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := etcdtest.NewMemory(t)
				var mu sync.Mutex
				var latest time.Time // heartbeat that has been stored
				m.After = func(_ context.Context, request any) error {
					if r, ok := request.(*etcdserverpb.TxnRequest); ok && strings.Contains(r.String(), "heartbeat/") {
						mu.Lock()
						latest = time.Now()
						mu.Unlock()
						time.Sleep(answer)
					}
					return nil
				}
				s, leave := join(t, m, "a", "a")
				time.Sleep(10 * ttl)
				m.Cut("a", true)
				mu.Lock()
				until := latest.Add(ttl)
				mu.Unlock()
				for s.Alive() {
					time.Sleep(time.Millisecond)
				}
				// The answers to some of the latest heartbeats have been cut off: from these, it cannot count.
				if margin := time.Until(until); margin < ttl/8 || margin > ttl/8+answer+ttl/5+2*time.Millisecond {
					t.Errorf("the node gave up %v before others may end its session of %v, want %v", margin, ttl, ttl/8)
				}
				time.Sleep(time.Until(until))
				m.Cut("a", false)
				time.Sleep(10 * ttl)
				if s.Alive() {
					t.Error("a session that was lost is alive again")
				}
				if err := leave(); err != cluster.ErrLost { //nolint:errorlint // it says so itself
					t.Errorf("Join = %v, want %v", err, cluster.ErrLost)
				}
			})
		})
	}
}

// writes reports whether etcd applies a write with the fence.
func writes(t *testing.T, m *etcdtest.Memory, f store.Fence) bool {
	t.Helper()
	resp, err := m.Client(t, "writer").Txn(t.Context()).
		If(clientv3.Compare(clientv3.ModRevision(f.Key), "=", f.Revision)).Then(clientv3.OpPut("x", "y")).Commit()
	if err != nil {
		t.Fatal(err)
	}
	return resp.Succeeded
}

func TestReleaseKeepsClaimOfAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		a, _ := join(t, m, "a", "a")
		b, _ := join(t, m, "b", "b")
		f, err := b.Claim(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Release(t.Context(), 3); err != nil {
			t.Errorf("Release of what another node owns = %v", err)
		}
		if !writes(t, m, f) {
			t.Error("the claim of b is gone, and a released it")
		}
		if err := b.Release(t.Context(), 3); err != nil {
			t.Errorf("Release = %v", err)
		}
		if writes(t, m, f) {
			t.Error("b has released its claim, and it is there")
		}
	})
}

func TestLeaveOfLostSessionKeepsItsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		old, _ := join(t, m, "cut off", "a")
		m.Cut("cut off", true)
		next, _ := join(t, m, "again", "a") // it waits for the end of the lease
		m.Cut("cut off", false)
		if err := old.Leave(t.Context()); err != nil {
			t.Errorf("Leave = %v", err)
		}
		for v, err := range next.Views(t.Context()) {
			if err != nil || len(v.Members) != 1 || v.Owners[0] != "a" {
				t.Errorf("the view is %v, %v; want one member a", v, err)
			}
			break
		}
	})
}

// TestUnreadableHeartbeatIsLeftToItsLease has another program write over the heartbeat of a node that is cut off.
func TestUnreadableHeartbeatIsLeftToItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		const most = 100
		var mu sync.Mutex
		key, tries := "", 0
		m.Before = func(_ context.Context, request any) error {
			r, ok := request.(*etcdserverpb.TxnRequest)
			if !ok || len(r.GetCompare()) == 0 || r.GetCompare()[0].GetTarget() != etcdserverpb.Compare_MOD {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if string(r.GetCompare()[0].GetKey()) != key {
				return nil
			}
			if tries++; tries > most {
				return errors.New("that is enough")
			}
			return nil
		}
		a, _ := join(t, m, "a", "a")
		join(t, m, "b", "b")
		time.Sleep(ttl)
		all, err := m.Client(t, "reader").Get(t.Context(), "carillon/", clientv3.WithPrefix())
		if err != nil {
			t.Fatal(err)
		}
		latest := "" // of the heartbeats' keys: leases are granted in order
		for _, kv := range all.Kvs {
			if strings.Contains(string(kv.Key), "/heartbeat/") {
				latest = max(latest, string(kv.Key))
			}
		}
		if latest == "" {
			t.Fatalf("there is no heartbeat among %v", all.Kvs)
		}
		m.Cut("b", true)
		mu.Lock()
		key = latest
		mu.Unlock()
		if _, err := m.Put(t.Context(), put(latest, 0)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * ttl)
		m.Cut("b", false)
		mu.Lock()
		defer mu.Unlock()
		if tries > 1 {
			t.Errorf("the other node tried %d times to end the session, want once at most", tries)
		}
		if !a.Alive() {
			t.Error("the other node is lost, too")
		}
	})
}

func put(key string, lease int64) *etcdserverpb.PutRequest {
	return &etcdserverpb.PutRequest{Key: []byte(key), Lease: lease}
}
