package cluster_test

import (
	"context"
	"errors"
	"iter"
	"slices"
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

// member is a node in a session. Its fields belong to the goroutine of run.
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

// lost runs two nodes, cuts one off, and returns how long it is a member yet, and in how many tries
// it was ended. Of those the first refused fail.
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

func TestMissingHeartbeatsEndSessionBeforeLease(t *testing.T) {
	if lasts, tries := lost(t, 0, 0); tries != 1 || lasts < ttl-ttl/5 || lasts > ttl {
		t.Errorf("a node that shows no heartbeats any more was ended after %v in %d tries, want %v after the latest, in one", lasts, tries, ttl)
	}
}

func TestEndingASessionIsRetried(t *testing.T) {
	if lasts, tries := lost(t, 0, 3); tries != 4 || lasts < ttl || lasts > ttl+500*time.Millisecond {
		t.Errorf("etcd was asked %d times to end a session, which took %v; want 4 times, a tenth of a second apart", tries, lasts)
	}
}

func TestSessionIsEndedWithoutWatch(t *testing.T) {
	if lasts, tries := lost(t, 1, 0); tries != 1 || lasts < ttl-ttl/5 || lasts > 2*ttl {
		t.Errorf("where watches are broken, a node that shows no heartbeats any more was ended after %v in %d tries, want about %v", lasts, tries, ttl)
	}
}

func TestLeavingNodeIsNoMemberAtOnce(t *testing.T) {
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

func TestLeaseIsRenewedFourTimesPerTTL(t *testing.T) {
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

func TestReleaseIsRetriedTenTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		s := stubborn{releases: new(atomic.Int32)}
		cfg := cluster.Config{
			Node: cluster.Node{ID: "a"}, RunPartition: func(ctx context.Context, _ int, _ cluster.Claim) { <-ctx.Done() },
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

func TestReassignedPartitionIsOwnedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		var times, now atomic.Int32
		cfg := cluster.Config{
			Node: cluster.Node{ID: "a"},
			RunPartition: func(ctx context.Context, _ int, _ cluster.Claim) {
				times.Add(1)
				if now.Add(1) > 1 {
					t.Error("a partition that comes back is kept while it is being let go")
				}
				<-ctx.Done()
				time.Sleep(2500 * time.Millisecond) // until it has let go
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

func TestLeaseIsFourHeartbeatTTLs(t *testing.T) {
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

func TestSlowRenewalMovesToAnotherStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		var asked atomic.Int32
		m.After = func(ctx context.Context, request any) error {
			if _, ok := request.(*etcdserverpb.LeaseKeepAliveRequest); ok && asked.Add(1)%2 == 1 {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		s, _ := join(t, m, "a", "a")
		time.Sleep(60 * time.Second)
		if !s.Alive() {
			t.Errorf("the session is lost, though of %d renewals only each other one had no answer", asked.Load())
		}
	})
}

func TestStaleAssignmentIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		proposes := func(request any) bool {
			r, ok := request.(*etcdserverpb.TxnRequest)
			return ok && len(r.GetSuccess()) == 1 && string(r.GetSuccess()[0].GetRequestPut().GetKey()) == "carillon/cluster/assignment"
		}
		var left atomic.Bool
		m.Before = func(ctx context.Context, request any) error {
			if proposes(request) && strings.Contains(request.(*etcdserverpb.TxnRequest).String(), "b") && left.CompareAndSwap(false, true) {
				_, err := m.DeleteRange(ctx, &etcdserverpb.DeleteRangeRequest{Key: []byte("carillon/cluster/node/b")})
				return err
			}
			return nil
		}
		m.After = func(ctx context.Context, request any) error {
			r, err := m.Range(ctx, &etcdserverpb.RangeRequest{Key: []byte("carillon/cluster/assignment")})
			if err == nil && proposes(request) && left.Load() && strings.Contains(r.String(), `\"b\"`) {
				t.Errorf("after a member has left, the assignment is %s", r)
			}
			return err
		}
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		for _, name := range []string{"a", "b"} {
			s, _ := join(t, m, name, name)
			go func() {
				for _, err := range s.Views(ctx) {
					if err != nil {
						return
					}
				}
			}()
			synctest.Wait()
		}
		<-ctx.Done()
		synctest.Wait()
		if !left.Load() {
			t.Error("nobody proposed an assignment to b")
		}
	})
}

// A handover is a session whose partition another node has 300 ms after this one has left.
type handover struct {
	*flaky

	leaving *atomic.Bool
}

func (h handover) Join(ctx context.Context, _ cluster.Node, do func(context.Context, cluster.Session)) error {
	do(ctx, h)
	return nil
}

func (h handover) Leave(context.Context) error { h.leaving.Store(true); return nil }

func (h handover) Views(ctx context.Context) iter.Seq2[cluster.View, error] {
	return func(yield func(cluster.View, error) bool) {
		if !h.leaving.Load() {
			yield(cluster.View{Owners: []string{"a"}}, nil)
			<-ctx.Done()
			return
		}
		time.Sleep(300 * time.Millisecond)
		yield(cluster.View{Owners: []string{"b"}}, nil)
	}
}

func TestLeavingNodeKeepsPartitionsUntilTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		began, kept := time.Now(), time.Duration(0)
		var told []string
		cfg := cluster.Config{
			Node: cluster.Node{ID: "a"}, OnView: func(v cluster.View) { told = append(told, v.Owners...) },
			RunPartition: func(ctx context.Context, _ int, _ cluster.Claim) { <-ctx.Done(); kept = time.Since(began) },
		}
		if err := cluster.Run(ctx, cfg, handover{leaving: new(atomic.Bool)}, logTo(t)); err != nil {
			t.Error(err)
		}
		if want := 10*time.Second + 300*time.Millisecond; kept != want {
			t.Errorf("a node that is stopped after ten seconds kept its partition for %v, want %v: until the other one was about to take over", kept, want)
		}
		if !slices.Equal(told, []string{"a", "b"}) {
			t.Errorf("it was told of the owners %q, want each view", told)
		}
	})
}

func TestClaimOfLiveNodeIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		a, leave := join(t, m, "a", "a")
		b, _ := join(t, m, "b", "b")
		f, err := a.Claim(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
		defer stop()
		if got, err := b.Claim(ctx, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a claim of what another node owns = %v, %v; want that it waits", got, err)
		}
		if !writes(t, m, f) {
			t.Error("the claim of a is void")
		}
		time.AfterFunc(time.Second, func() { _ = leave() })
		began := time.Now()
		if _, err := b.Claim(t.Context(), 3); err != nil || time.Since(began) != time.Second {
			t.Errorf("Claim = %v after %v, want as soon as the other node has left", err, time.Since(began))
		}
	})
}

func TestNextHeartbeatDetectsEndedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		s, leave := join(t, m, "a", "a")
		time.Sleep(ttl)
		if _, err := m.DeleteRange(t.Context(), &etcdserverpb.DeleteRangeRequest{Key: []byte("carillon/heartbeat/"), RangeEnd: []byte("carillon/heartbeat0")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(ttl/5 + time.Millisecond)
		if s.Alive() {
			t.Error("a session that was ended is alive after its next heartbeat")
		}
		if err := leave(); !errors.Is(err, cluster.ErrLost) {
			t.Errorf("Join = %v, want %v", err, cluster.ErrLost)
		}
	})
}

func TestLeaseOfEndedSessionIsRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		join(t, m, "a", "a")
		time.Sleep(ttl)
		join(t, m, "b", "b")
		time.Sleep(ttl)
		r, err := m.Range(t.Context(), &etcdserverpb.RangeRequest{Key: []byte("carillon/heartbeat/"), RangeEnd: []byte("carillon/heartbeat0")})
		if err != nil || len(r.GetKvs()) != 2 {
			t.Fatalf("there are %d heartbeats, %v", len(r.GetKvs()), err)
		}
		m.Cut("b", true) // and a node that ended its session was lost before it revoked the lease
		if _, err := m.DeleteRange(t.Context(), &etcdserverpb.DeleteRangeRequest{Key: r.GetKvs()[1].Key}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if member(t, m, "b") {
			t.Error("a node whose session was ended is a member yet")
		}
		m.Cut("b", false)
	})
}

func TestFailedRenewalIsRetriedTwentyTimesPerTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		tries := 0
		m.Before = func(_ context.Context, request any) error {
			if _, ok := request.(*etcdserverpb.LeaseKeepAliveRequest); ok {
				if tries++; tries < 1000 {
					return errors.New("etcd has no leader")
				}
			}
			return nil
		}
		s, _ := join(t, m, "a", "a")
		time.Sleep(10 * ttl)
		if s.Alive() || tries < 15 || tries > 20 {
			t.Errorf("in the length of a lease it was tried %d times to renew it, want 20 at most; the session is alive: %v", tries, s.Alive())
		}
	})
}

// A brief coordinator lets a node in once, for ten seconds.
type brief struct {
	*flaky

	joined *atomic.Bool
}

func (b brief) Join(ctx context.Context, _ cluster.Node, do func(context.Context, cluster.Session)) error {
	if b.joined.Swap(true) {
		return errors.New("nobody is let in")
	}
	inner, end := context.WithCancelCause(ctx)
	time.AfterFunc(10*time.Second, func() { end(cluster.ErrLost) })
	do(inner, b)
	return cluster.ErrLost
}

func (b brief) Views(ctx context.Context) iter.Seq2[cluster.View, error] {
	return func(yield func(cluster.View, error) bool) {
		yield(cluster.View{Owners: []string{"a"}}, nil)
		<-ctx.Done()
	}
}

func TestLostSessionGivesAnEmptyView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 11*time.Second)
		defer stop()
		began, kept := time.Now(), time.Duration(0)
		var told []int // owners of each view
		cfg := cluster.Config{
			Node: cluster.Node{ID: "a"}, OnView: func(v cluster.View) { told = append(told, len(v.Owners)) },
			RunPartition: func(ctx context.Context, _ int, _ cluster.Claim) { <-ctx.Done(); kept = time.Since(began) },
		}
		if err := cluster.Run(ctx, cfg, brief{joined: new(atomic.Bool)}, logTo(t)); err != nil {
			t.Error(err)
		}
		if len(told) < 2 || told[0] != 1 || told[1] != 0 || kept != 10*time.Second {
			t.Errorf("it was told of views with %v owners, and kept its partition for %v; want one owner, and none after 10 s", told, kept)
		}
	})
}

func TestUnansweredClaimEndsWithItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		m.Before = func(ctx context.Context, request any) error {
			if r, ok := request.(*etcdserverpb.TxnRequest); ok && strings.Contains(r.String(), "/claim/") {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		s, leave := join(t, m, "a", "a")
		ended := make(chan error, 1)
		go func() {
			_, err := s.Claim(t.Context(), 3)
			ended <- err
		}()
		time.Sleep(time.Second)
		if err := leave(); err != nil {
			t.Errorf("Join = %v", err)
		}
		synctest.Wait()
		select {
		case err := <-ended:
			if err == nil {
				t.Error("a claim that etcd has not answered succeeds")
			}
		default:
			t.Error("a claim is under way yet, and its session is over")
		}
	})
}

func TestViewsReturnWatchError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := etcdtest.NewMemory(t)
		m.Unwatchable = true
		reads := 0
		m.Before = func(_ context.Context, request any) error {
			if r, ok := request.(*etcdserverpb.RangeRequest); ok && strings.Contains(string(r.GetKey()), "/cluster/") {
				if reads++; reads > 100 {
					return errors.New("that is enough")
				}
			}
			return nil
		}
		s, _ := join(t, m, "a", "a")
		var broken error
		for v, err := range s.Views(t.Context()) {
			if broken = err; err == nil && len(v.Owners) != partitions {
				t.Errorf("a view has %d partitions, want %d", len(v.Owners), partitions)
			}
		}
		if broken == nil || !strings.Contains(broken.Error(), "watch the members") || reads > 10 {
			t.Errorf("after %d reads the views ended with %v, want soon that the members cannot be watched", reads, broken)
		}
	})
}
