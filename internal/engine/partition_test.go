package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store"
)

// A registry is where the engines of a test claim partitions of the store that they share. As in a cluster, a commit
// whose claim is not the present one is refused.
type registry struct {
	store.Store

	mu     sync.Mutex
	last   int64
	claims map[string]int64 // revision of each claim

	refused int // commits
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	db := open(t, vfs.NewMem())
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &registry{Store: db, claims: map[string]int64{}}
}

func (r *registry) Commit(ctx context.Context, b *store.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range b.Fences {
		if r.claims[f.Key] != f.Revision {
			r.refused++
			return store.ErrFenced
		}
	}
	return r.Store.Commit(ctx, &store.Batch{Writes: b.Writes}) // what keeps it has one writer
}

// A claim is one node's of one partition.
type claim struct {
	registry *registry
	name     string
	dead     *atomic.Bool // the node's lease has ended
}

func (c claim) Fence(context.Context) (store.Fence, error) {
	if !c.Alive() {
		return store.Fence{}, errors.New("the lease has ended")
	}
	c.registry.mu.Lock()
	defer c.registry.mu.Unlock()
	c.registry.last++
	c.registry.claims[c.name] = c.registry.last
	return store.Fence{Key: c.name, Revision: c.registry.last}, nil
}

func (c claim) Alive() bool { return !c.dead.Load() }

// A node is an engine that shares its store with others.
type node struct {
	*engine.Engine
	registry *registry
	dead     atomic.Bool
	stop     map[int]func() // of each partition that it owns: returns when it has let go
}

// nodes runs engines on one store, which deliver to one app, until the test ends.
func nodes(t *testing.T, n, partitions int, d engine.Deliverer) []*node {
	t.Helper()
	r := newRegistry(t)
	all := make([]*node, n)
	for i := range all {
		e, stop := run(t, r, d, engine.Config{Partitions: partitions, Shared: true})
		all[i] = &node{Engine: e, registry: r, stop: map[int]func(){}}
		t.Cleanup(func() {
			for p := range all[i].stop {
				all[i].leave(p)
			}
			stop()
		})
	}
	return all
}

func (n *node) own(t *testing.T, partition int) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.RunPartition(ctx, partition, claim{n.registry, fmt.Sprintf("claim/%d", partition), &n.dead})
	}()
	n.stop[partition] = func() { cancel(); <-done }
}

func (n *node) leave(partition int) {
	n.stop[partition]()
	delete(n.stop, partition)
}

func TestMovingPartitionsLoseAndRepeatNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions, seconds = 4, 120
		a := &app{answer: func(job.Trigger) (job.Outcome, time.Duration) { return job.Handled, 20 * time.Millisecond }}
		all := nodes(t, 3, partitions, a)
		owner := make([]int, partitions)
		for p := range partitions {
			all[0].own(t, p)
		}
		first := time.Now().Add(time.Second)
		for i := range 50 {
			mustSchedule(t, all[0].Engine, key("app", fmt.Sprint(i)), every(first, time.Second))
		}
		for i := range seconds * 4 {
			time.Sleep(250 * time.Millisecond)
			p, next := i%partitions, (i/partitions+i)%3
			if next != owner[p] {
				all[owner[p]].leave(p)
				all[next].own(t, p)
				owner[p] = next
			}
		}
		time.Sleep(500 * time.Millisecond)
		seen := map[job.Key]map[time.Time]int{}
		for _, tr := range a.triggers(t) {
			if seen[tr.Key] == nil {
				seen[tr.Key] = map[time.Time]int{}
			}
			seen[tr.Key][tr.Due]++
		}
		for k, dues := range seen {
			for due, n := range dues {
				if n != 1 {
					t.Errorf("%s, due %v, came %d times", k, due, n)
				}
			}
			if len(dues) != seconds {
				t.Errorf("%s had %d occurrences, want %d", k, len(dues), seconds)
			}
		}
		if len(seen) != 50 || a.late > 100*time.Millisecond {
			t.Errorf("%d jobs fired, the latest %v late", len(seen), a.late)
		}
	})
}

func TestReleaseWaitsASecondAtMost(t *testing.T) {
	for _, takes := range []time.Duration{300 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int32
			a := &app{answer: func(job.Trigger) (job.Outcome, time.Duration) {
				if calls.Add(1) == 1 {
					return job.Handled, takes
				}
				return job.Handled, 0
			}}
			// A trigger without an answer in time is in flight twice; that is what is tested.
			all := nodes(t, 2, 1, anyway{a})
			all[0].own(t, 0)
			mustSchedule(t, all[0].Engine, key("app", "slow"), once(time.Now()))
			mustSchedule(t, all[0].Engine, key("app", "next"), once(time.Now().Add(100*time.Millisecond)))
			time.Sleep(50 * time.Millisecond)
			began := time.Now()
			all[0].leave(0)
			if got, want := time.Since(began).Round(50*time.Millisecond), min(takes-50*time.Millisecond, time.Second); got != want {
				t.Errorf("with a delivery that takes %v, the partition was kept for %v, want %v", takes, got, want)
			}
			if got := len(a.got); got != 1 {
				t.Errorf("the one that leaves has delivered %d triggers, want the one in flight", got)
			}
			all[1].own(t, 0)
			time.Sleep(time.Minute)
			synctest.Wait()
			want := 2 // and the next
			if takes > handOver {
				want = 3 // and the slow one again
			}
			if got := len(a.got); got != want {
				t.Errorf("with a delivery that takes %v, %d triggers came in all, want %d", takes, got, want)
			}
		})
	}
}

const handOver = time.Second

// anyway delivers the same job twice at a time without calling it a broken promise.
type anyway struct{ *app }

func (a anyway) Deliver(t job.Trigger, done func(job.Outcome), room func(int)) bool {
	a.mu.Lock()
	delete(a.out, t.Key)
	a.mu.Unlock()
	return a.app.Deliver(t, done, room)
}

func TestNodeWithExpiredLeaseFiresNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{}
		all := nodes(t, 2, 1, a)
		all[0].own(t, 0)
		mustSchedule(t, all[0].Engine, key("app", "a"), once(time.Now().Add(time.Minute)))
		all[0].dead.Store(true) // and nobody has told it to leave
		time.Sleep(2 * time.Minute)
		if got := a.triggers(t); len(got) != 0 {
			t.Errorf("it fired %v", got)
		}
		if err := all[0].Health(); err == nil {
			t.Error("and it is healthy")
		}
		all[1].own(t, 0)
		time.Sleep(time.Second)
		if got := a.triggers(t); len(got) != 1 {
			t.Errorf("the next owner delivered %d triggers, want 1", len(got))
		}
	})
}

func TestTriggerHeldByLostLeaseFiresLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{}
		all := nodes(t, 1, 1, a)
		all[0].own(t, 0)
		mustSchedule(t, all[0].Engine, key("app", "a"), once(time.Now().Add(time.Minute)))
		all[0].dead.Store(true)
		time.Sleep(2 * time.Minute)
		if got := a.triggers(t); len(got) != 0 {
			t.Errorf("it fired %v without a lease", got)
		}
		all[0].dead.Store(false) // it has another lease
		time.Sleep(time.Minute)
		if got := a.triggers(t); len(got) != 1 {
			t.Errorf("with a lease again it fired %d triggers, want the one that was kept back", len(got))
		}
	})
}

func TestFencedNodeWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := nodes(t, 2, 1, &app{})
		k := key("app", "a")
		all[0].own(t, 0)
		mustSchedule(t, all[0].Engine, k, once(time.Now().Add(time.Hour)))
		all[1].own(t, 0) // while the other one believes that it owns it
		synctest.Wait()
		all[0].dead.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := all[0].Delete(ctx, k); !errors.Is(err, job.ErrUnavailable) {
			t.Errorf("Delete by the one that owns it no more = %v, want ErrUnavailable", err)
		}
		if _, _, err := all[1].Get(ctx, k); err != nil {
			t.Errorf("the job is gone: %v", err)
		}
	})
}

func TestTurnIsRefusedIfOnePartitionIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, lost := range []int{0, 1} {
			all := nodes(t, 2, 2, &app{})
			of := func(partition int) job.Key {
				for i := 0; ; i++ {
					if k := key("app", fmt.Sprint(i)); all[0].Partition(k) == partition {
						return k
					}
				}
			}
			all[0].own(t, 0)
			all[0].own(t, 1)
			synctest.Wait()
			all[1].own(t, lost) // while the other one believes that it owns it
			synctest.Wait()
			all[0].dead.Store(true)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			due := once(time.Now().Add(time.Hour))
			both := []job.Request{{Key: of(0), Spec: due}, {Key: of(1), Spec: due}}
			for i, err := range all[0].ScheduleAll(ctx, both) {
				if !errors.Is(err, job.ErrUnavailable) {
					t.Errorf("with partition %d lost, a command about partition %d = %v, want ErrUnavailable", lost, i, err)
				}
			}
			for i, q := range both {
				if _, _, err := all[1].Get(ctx, q.Key); !errors.Is(err, job.ErrNotFound) {
					t.Errorf("with partition %d lost, the job of partition %d was stored: %v", lost, i, err)
				}
			}
		}
	})
}

func TestSoleOwnerCommitsWithoutFences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		s := &unfenced{Store: db}
		a := &app{}
		e, stop := run(t, s, a, engine.Config{})
		mustSchedule(t, e, key("app", "a"), every(time.Now().Add(time.Second), time.Second))
		time.Sleep(time.Minute)
		stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if s.commits.Load() < 60 || s.fenced.Load() > 0 {
			t.Errorf("%d of %d commits to a store with one writer had fences, want none of 60 and more", s.fenced.Load(), s.commits.Load())
		}
	})
}

// An unfenced store counts commits, and those that have fences.
type unfenced struct {
	store.Store

	commits, fenced atomic.Int32
}

func (u *unfenced) Commit(ctx context.Context, b *store.Batch) error {
	u.commits.Add(1)
	if len(b.Fences) > 0 {
		u.fenced.Add(1)
	}
	return u.Store.Commit(ctx, b)
}

func TestCallsWaitWhileLoadingAndFailAfterRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := nodes(t, 1, 1, &app{})
		answered := make(chan error, 1)
		schedule := func() {
			answered <- all[0].Schedule(t.Context(), key("app", "a"), once(time.Now().Add(time.Hour)), true)
		}
		go schedule()
		time.Sleep(time.Minute)
		if len(answered) > 0 {
			t.Errorf("with a partition that nobody has spoken of, Schedule = %v, want that it waits", <-answered)
		}
		all[0].own(t, 0)
		if err := <-answered; err != nil {
			t.Errorf("Schedule = %v", err)
		}
		all[0].leave(0)
		schedule()
		if err := <-answered; !errors.Is(err, engine.ErrNotOwner) || !errors.Is(err, job.ErrUnavailable) {
			t.Errorf("Schedule of another node's job = %v, want ErrNotOwner", err)
		}
		all[0].own(t, 0)
		synctest.Wait()
		schedule()
		if err := <-answered; err != nil {
			t.Errorf("Schedule when the partition is back = %v", err)
		}
	})
}

func TestClockStepDoesNotProlongRelease(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var ahead atomic.Int64
			a := &app{answer: func(job.Trigger) (job.Outcome, time.Duration) { return job.Handled, time.Minute }}
			r := newRegistry(t)
			e, stop := run(t, r, a, engine.Config{Partitions: 1, Shared: true, Now: func() time.Time {
				return time.Now().Add(time.Duration(ahead.Load()))
			}})
			defer stop()
			n := &node{Engine: e, registry: r, stop: map[int]func(){}}
			n.own(t, 0)
			mustSchedule(t, e, key("app", "slow"), once(time.Now()))
			time.Sleep(50 * time.Millisecond)
			began := time.Now()
			go func() {
				time.Sleep(handOver / 2)
				ahead.Store(int64(step))
				if err := e.Delete(t.Context(), key("app", "of another partition's owner")); !errors.Is(err, engine.ErrNotOwner) {
					t.Errorf("a call about a partition that is let go: %v", err)
				}
			}()
			n.leave(0)
			if got := time.Since(began); got != handOver {
				t.Errorf("with a step by %v a partition was kept for %v for triggers in flight, want %v", step, got, handOver)
			}
		})
	}
}

func TestLateOutcomeAfterReleaseIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{answer: func(tr job.Trigger) (job.Outcome, time.Duration) {
			if tr.Key.Target.Name == "slow" {
				return job.Handled, 5 * time.Second
			}
			return job.Handled, 8 * time.Second
		}}
		all := nodes(t, 2, 2, anyway{a})
		of := func(app string, partition int) job.Key {
			for i := 0; ; i++ {
				if k := key(app, fmt.Sprint(i)); all[0].Partition(k) == partition {
					return k
				}
			}
		}
		all[0].own(t, 0)
		all[0].own(t, 1)
		mustSchedule(t, all[0].Engine, of("slow", 0), every(time.Now().Add(time.Second), time.Hour))
		mustSchedule(t, all[0].Engine, of("other", 1), every(time.Now().Add(time.Second), time.Hour))
		time.Sleep(2 * time.Second)
		all[0].leave(0)
		all[1].own(t, 0)
		time.Sleep(20 * time.Second) // the first node hears how the slow one ended, which it may not record any more
		if got := all[0].registry.refused; got > 0 {
			t.Errorf("%d commits were refused, of who owned the partition no more", got)
		}
		if got := count(t, a, "other"); got != 1 {
			t.Errorf("a job of the partition that stayed came %d times, want once", got)
		}
		if got := count(t, a, "slow"); got != 2 {
			t.Errorf("the job whose outcome came too late came %d times, want twice", got)
		}
	})
}

// A refused claim notes when it is asked, and is refused at times.
type refused struct {
	claim

	begin  time.Time
	asked  []time.Duration
	grants func(n int) bool
}

func (c *refused) Fence(ctx context.Context) (store.Fence, error) {
	c.asked = append(c.asked, time.Since(c.begin))
	if !c.grants(len(c.asked)) {
		return store.Fence{}, errors.New("another node owns it")
	}
	return c.claim.Fence(ctx)
}

func TestClaimRetriesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t)
		a := &app{}
		e, stop := run(t, r, a, engine.Config{Partitions: 1, Shared: true})
		defer stop()
		var dead atomic.Bool
		c := &refused{claim: claim{r, "claim/0", &dead}, begin: time.Now(), grants: func(n int) bool { return n == 12 || n > 14 }}
		ctx, cancel := context.WithCancel(t.Context())
		owned := make(chan struct{})
		go func() { defer close(owned); e.RunPartition(ctx, 0, c) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		const ms = time.Millisecond
		for i, want := range []time.Duration{10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, 1280 * ms, 2560 * ms, 5000 * ms, 5000 * ms} {
			if got := c.asked[i+1] - c.asked[i]; got != want {
				t.Errorf("try %d came %v after the one before, want %v", i+2, got, want)
			}
		}
		r.mu.Lock()
		r.claims["claim/0"] = -1 // another node has taken it, and the next commit is refused
		r.mu.Unlock()
		short, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		lost := time.Since(c.begin)
		_ = e.Schedule(short, key("app", "a"), once(time.Now().Add(time.Hour)), false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(c.asked); n != 15 || c.asked[12] != lost || c.asked[13]-c.asked[12] != 10*ms || c.asked[14]-c.asked[13] != 20*ms {
			t.Errorf("after it was had, it was claimed at %v, want at once, and 10 and 20 ms later", c.asked[min(n, 12):])
		}
		cancel()
		<-owned
	})
}

func TestPartitionThatNeverBeganRefusesWaitingCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t)
		// It never runs: its store is never checked.
		e := engine.New(engine.Config{Partitions: 1, Shared: true}, r.Store, &app{}, logTo(t))
		answered := make(chan error, 1)
		go func() { answered <- e.Schedule(t.Context(), key("app", "a"), once(time.Now().Add(time.Hour)), false) }()
		synctest.Wait()
		var dead atomic.Bool
		ctx, cancel := context.WithCancel(t.Context())
		go cancel() // another node becomes the owner
		e.RunPartition(ctx, 0, claim{r, "claim/0", &dead})
		synctest.Wait()
		select {
		case err := <-answered:
			if !errors.Is(err, engine.ErrNotOwner) {
				t.Errorf("the call got %v, want %v", err, engine.ErrNotOwner)
			}
		default:
			t.Error("the call still waits for a partition that the node gave up")
		}
	})
}
