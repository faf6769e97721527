package forward_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

func TestAnyNodeTakesAnyCallAndReadsItsWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		due := time.Now().Add(time.Hour)
		for i := range 60 {
			if err := all[i%3].Schedule(t.Context(), number(i), once(due), false); err != nil {
				t.Fatalf("Schedule by node %s: %v", all[i%3].id, err)
			}
			for _, n := range all {
				if _, _, err := n.Get(t.Context(), number(i)); err != nil {
					t.Errorf("Get by node %s: %v", n.id, err)
				}
			}
			if err := all[(i+1)%3].Schedule(t.Context(), number(i), once(due), false); !errors.Is(err, job.ErrExists) {
				t.Errorf("Schedule by another node = %v, want ErrExists", err)
			}
		}
		for i := range 20 {
			if err := all[i%3].Delete(t.Context(), number(i)); err != nil {
				t.Errorf("Delete: %v", err)
			}
			if _, _, err := all[(i+1)%3].Get(t.Context(), number(i)); !errors.Is(err, job.ErrNotFound) {
				t.Errorf("Get of what another node has deleted = %v, want ErrNotFound", err)
			}
		}
		listed := 0
		for _, err := range all[1].List(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"app"}}) {
			if err != nil {
				t.Fatal(err)
			}
			listed++
		}
		if listed != 40 {
			t.Errorf("List by a node yields %d jobs, want 40", listed)
		}
		if err := all[2].DeleteAll(t.Context(), job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"app"}}); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Hour)
		if got, _ := w.deliveries(); got != 0 {
			t.Errorf("%d triggers came of jobs that were deleted", got)
		}
	})
}

// A client that could call the peer service would bypass the checks of names and quotas.
func TestClientCannotCallPeerService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		forged := job.Request{Key: key("app", strings.Repeat("x", 1000)), Spec: once(time.Now().Add(time.Hour))}
		if forged.Key.Check() == nil {
			t.Fatal("the name is one that clients may give")
		}
		if err := all[0].Schedule(t.Context(), number(1), forged.Spec, false); err != nil {
			t.Fatal(err)
		}
		k, spec := record.EncodeRequest(&forged)
		remove, _ := record.EncodeRequest(&job.Request{Key: number(1), Remove: true})
		for _, n := range all {
			for name, ctx := range map[string]context.Context{
				"nothing":                  t.Context(),
				"an empty secret":          peerv1.WithSecret(t.Context(), ""),
				"the secret of some node,": peerv1.WithSecret(t.Context(), "start 4"),
			} {
				conn, err := w.dial(n.id)
				if err != nil {
					t.Fatal(err)
				}
				m := &peerv1.ApplyRequest{Commands: []*peerv1.Command{{Key: k, Spec: spec}, {Key: remove}}}
				if _, err := peerv1.NewPeerClient(conn).Apply(ctx, m); status.Code(err) != codes.PermissionDenied {
					t.Errorf("node %s to who shows %s: %v, want PermissionDenied", n.id, name, err)
				}
				conn.Close()
			}
		}
		if _, _, err := all[0].Get(t.Context(), forged.Key); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("Get of the forged job: %v, want ErrNotFound", err)
		}
		if _, _, err := all[0].Get(t.Context(), number(1)); err != nil {
			t.Errorf("Get of the job that was to be removed: %v", err)
		}
	})
}

func TestTooLargeJobIsRefusedAlikeByEachNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newWorld(t).three()
		s := once(time.Now().Add(time.Hour))
		s.Data = &job.Data{Value: make([]byte, 3<<20)}
		for i, n := range all {
			var large *job.TooLargeError
			if err := n.Schedule(t.Context(), number(1), s, false); !errors.As(err, &large) || large.Limit != 2<<20 {
				t.Errorf("node %d: Schedule = %v, want that it is larger than 2 MiB", i, err)
			}
		}
	})
}

func TestCommandsOfOneCallAreCarriedOutInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newWorld(t).three()
		due := time.Now().Add(time.Hour)
		var requests []job.Request
		for i := range 3000 {
			requests = append(requests, job.Request{Key: number(i % 100), Spec: once(due.Add(time.Duration(i) * time.Second)), Overwrite: true})
		}
		for i, err := range all[0].ScheduleAll(t.Context(), requests) {
			if err != nil {
				t.Fatalf("command %d: %v", i, err)
			}
		}
		for i := range 100 {
			s, _, err := all[1].Get(t.Context(), number(i))
			if want := due.Add(time.Duration(2900+i) * time.Second); err != nil || !s.Plan.First.Equal(want) {
				t.Errorf("job %d is due %v, %v; want that of the last command, %v", i, s.Plan.First, err, want)
			}
		}
	})
}

// A load schedules jobs through random nodes. Every acknowledged job must be delivered.
type load struct {
	mu    sync.Mutex
	acked int
	other []error
}

func (l *load) run(ctx context.Context, seed uint64, nodes func() []*node) {
	r := rand.New(rand.NewPCG(seed, 0))
	for i := 0; ctx.Err() == nil; i++ {
		time.Sleep(time.Duration(1+r.IntN(100)) * time.Millisecond)
		all := nodes()
		n := all[r.IntN(len(all))]
		call, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := n.Schedule(call, number(int(seed)*1_000_000+i), once(time.Now().Add(time.Duration(r.IntN(5000))*time.Millisecond)), false)
		cancel()
		l.mu.Lock()
		switch {
		case err == nil:
			l.acked++
		case ctx.Err() == nil:
			l.other = append(l.other, err)
		}
		l.mu.Unlock()
	}
}

func TestRollingRestartUnderLoadLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		var mu sync.Mutex
		up := append([]*node{}, all...)
		nodes := func() []*node {
			mu.Lock()
			defer mu.Unlock()
			return append([]*node{}, up...)
		}
		ctx, stop := context.WithCancel(t.Context())
		var users sync.WaitGroup
		l := &load{}
		for u := range 6 {
			users.Go(func() { l.run(ctx, uint64(u), nodes) })
		}
		for i, n := range all {
			time.Sleep(5 * time.Second)
			mu.Lock()
			up = append(append([]*node{}, all[:i]...), all[i+1:]...)
			mu.Unlock()
			time.Sleep(6 * time.Second) // its users have gone
			n.stop()
			time.Sleep(time.Second)
			all[i] = w.start(n.id)
			time.Sleep(time.Second)
			mu.Lock()
			up = append([]*node{}, all...)
			mu.Unlock()
		}
		stop()
		users.Wait()
		time.Sleep(time.Minute)
		got, again := w.deliveries()
		t.Logf("%d jobs were acknowledged, the latest trigger was %v late", l.acked, w.latest)
		if len(l.other) > 0 {
			t.Errorf("%d calls failed, such as: %v", len(l.other), l.other[0])
		}
		if got < l.acked || again > 0 || w.early > 0 {
			t.Errorf("%d occurrences came, %d again, %d early; %d were acknowledged", got, again, w.early, l.acked)
		}
		if w.latest > 200*time.Millisecond {
			t.Errorf("one was %v late", w.latest)
		}
	})
}

func TestStoppingNodeForwardsCallsToNextOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		w.takes = time.Hour
		for i := range 20 { // so that every partition has something out, for which it is kept a while
			if err := all[0].Schedule(t.Context(), number(i), once(time.Now()), false); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		stopped := make(chan struct{})
		go func() { all[0].stop(); close(stopped) }()
		time.Sleep(time.Millisecond)
		var users sync.WaitGroup
		for i := range 60 {
			users.Go(func() {
				begin := time.Now()
				err := all[0].Schedule(t.Context(), number(100+i), once(time.Now().Add(time.Hour)), false)
				if took := time.Since(begin); err != nil || took > 2*time.Second {
					t.Errorf("Schedule by a node that is being stopped: %v after %v", err, took)
				}
			})
		}
		users.Wait()
		<-stopped
	})
}

// Jobs of a stopped node are late by the time in which the others learn that its claims are
// released, and claim its partitions.
func TestStoppingNodeFiresUntilOthersTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lag = 30 * time.Millisecond
		w := newWorld(t)
		w.cluster.Lag = lag
		all := w.three()
		first := time.Now().Add(time.Second)
		for i := range 2 * partitions {
			if err := all[0].Schedule(t.Context(), number(i), every(first, 10*time.Millisecond), false); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		for _, n := range all[:2] {
			begin := time.Now()
			n.stop()
			took := time.Since(begin)
			time.Sleep(time.Second)
			w.mu.Lock()
			late := w.latest
			w.latest = 0
			w.mu.Unlock()
			t.Logf("a stop of %v made triggers late by %v", took, late)
			if late > 2*lag+5*time.Millisecond {
				t.Errorf("late by %v with answers after %v each, want a release and a claim", late, lag)
			}
		}
		if _, again := w.deliveries(); again > 0 || w.early > 0 {
			t.Errorf("%d triggers came again, and %d early", again, w.early)
		}
	})
}

func TestPartitionedNodeStopsAndOthersTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		first := time.Now().Add(time.Second)
		for i := range 100 {
			if err := all[0].Schedule(t.Context(), number(i), every(first, time.Second), false); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5500 * time.Millisecond)
		w.cluster.Cut("b", true)
		time.Sleep(4 * time.Second)
		if err := all[1].Health(); err == nil {
			t.Error("the node that is cut off is healthy")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		failed := 0
		for i := range 30 {
			if err := all[1].Schedule(ctx, number(1000+i), once(time.Now().Add(time.Hour)), false); errors.Is(err, job.ErrUnavailable) {
				failed++
				break // it takes its time
			}
		}
		if failed == 0 {
			t.Error("the node that is cut off took calls")
		}
		time.Sleep(10 * time.Second)
		w.cluster.Cut("b", false)
		time.Sleep(10 * time.Second)
		for _, n := range all {
			if err := n.Health(); err != nil {
				t.Errorf("node %s, when all are back: %v", n.id, err)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		least, most := 1<<30, 0
		for i := range 100 {
			dues := w.got[number(i)]
			least, most = min(least, len(dues)), max(most, len(dues))
		}
		if most-least > 1 || w.early > 0 {
			t.Errorf("jobs of one second had from %d to %d occurrences, and %d were early", least, most, w.early)
		}
		if w.latest > ttl+time.Second {
			t.Errorf("the lost share fired again %v late, want no more than %v", w.latest, ttl+time.Second)
		}
	})
}

// A partitioned node has begun the first call and cannot finish it: its outcome is unknown until the
// lease of the node ends. The others have not begun and go to the next owner.
func TestForwardedCallOfUnknownOutcomeIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		w.cluster.Cut("b", true)
		owners := w.cluster.Owners()
		results := map[job.Key]error{}
		var mu sync.Mutex
		var users sync.WaitGroup
		for i := range 40 {
			if owners[all[0].engine.Partition(number(i))] != "b" {
				continue
			}
			users.Go(func() {
				err := all[0].Schedule(t.Context(), number(i), once(time.Now().Add(time.Hour)), false)
				mu.Lock()
				defer mu.Unlock()
				results[number(i)] = err
			})
		}
		users.Wait()
		w.cluster.Cut("b", false)
		time.Sleep(time.Minute)
		unknown := 0
		for k, err := range results {
			_, _, got := all[0].Get(t.Context(), k)
			switch {
			case err == nil && got != nil:
				t.Errorf("%s, which was acknowledged: %v", k, got)
			case err != nil && (!errors.Is(err, job.ErrUnavailable) || errors.Is(err, engine.ErrNotOwner)):
				t.Errorf("%s, whose owner was lost: %v, want ErrUnavailable", k, err)
			case err != nil && !errors.Is(got, job.ErrNotFound):
				t.Errorf("%s, which only b was asked for, is there: %v", k, got)
			}
			if err != nil {
				unknown++
			}
		}
		if unknown == 0 {
			t.Errorf("of %d calls none has an unknown outcome", len(results))
		}
	})
}

func TestLostMajorityStopsAllUntilItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		first := time.Now().Add(time.Second)
		for i := range 50 {
			if err := all[0].Schedule(t.Context(), number(i), every(first, time.Second), false); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5500 * time.Millisecond)
		for _, n := range all {
			w.cluster.Cut(n.id, true)
		}
		time.Sleep(ttl)
		before, _ := w.deliveries()
		time.Sleep(time.Minute)
		after, _ := w.deliveries()
		if after != before {
			t.Errorf("%d triggers left without a cluster", after-before)
		}
		for _, n := range all {
			w.cluster.Cut(n.id, false)
		}
		time.Sleep(5 * time.Second)
		due := int(time.Since(first)/time.Second) + 1
		if got, _ := w.deliveries(); got < 50*(due-1) {
			t.Errorf("%d occurrences came, want what was missed too: %d", got, 50*due)
		}
	})
}

func TestHostsAreSentOnlyWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all := w.three()
		conn, err := w.dial("a")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		stream, err := schedulerv1.NewSchedulerClient(conn).WatchHosts(t.Context(), new(schedulerv1.WatchHostsRequest))
		if err != nil {
			t.Fatal(err)
		}
		var lists []string
		ended := make(chan error, 1)
		go func() {
			for {
				m, err := stream.Recv()
				if err != nil {
					ended <- err
					return
				}
				var hosts []string
				for _, h := range m.GetHosts() {
					hosts = append(hosts, h.GetAddress())
				}
				lists = append(lists, strings.Join(hosts, " "))
			}
		}()
		time.Sleep(time.Minute)
		all[2].stop()
		time.Sleep(time.Minute)
		w.start("c")
		time.Sleep(time.Minute)
		w.cluster.Cut("a", true)
		err = <-ended
		if diff := cmp.Diff([]string{"a:50006 b:50006 c:50006", "a:50006 b:50006", "a:50006 b:50006 c:50006"}, lists); diff != "" {
			t.Errorf("lists of hosts (-want +got):\n%s", diff)
		}
		if status.Code(err) != codes.Unavailable {
			t.Errorf("to those who ask a node that is cut off, the stream ends with %v, want Unavailable", err)
		}
	})
}
