package dispatch_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/dispatch"
	"carillon/internal/job"
)

// refusals record the wake-ups of refused triggers, each of its own partition.
type refusals struct {
	d          *dispatch.Dispatcher
	partitions int

	mu     sync.Mutex
	shares []int
}

func (w *refusals) refuse(t *testing.T, target job.Target, n int) {
	t.Helper()
	wake := func(n int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.shares = append(w.shares, n)
	}
	for range n {
		refused := trigger(target, "refused")
		w.partitions++
		refused.Partition = w.partitions
		if w.d.Deliver(refused, ignore, wake) {
			t.Fatal("Deliver took a trigger, want a refusal")
		}
	}
}

func (w *refusals) want(t *testing.T, shares ...int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.shares, shares) {
		t.Errorf("woken with %v, want %v", w.shares, shares)
	}
	w.shares = nil
}

func TestConnectWakesAllWaitersWithFairShare(t *testing.T) {
	d := dispatch.New(dispatch.Config{MaxInFlight: 100})
	w := &refusals{d: d}
	w.refuse(t, app("a"), 3)
	w.refuse(t, app("b"), 1)
	other := d.Connect([]job.Target{app("c")})
	w.want(t)
	s := d.Connect([]job.Target{app("a")})
	w.want(t, 33, 33, 33)
	if got := d.Stats(); got != (dispatch.Stats{Streams: 2, Waiting: 1, Targets: 3}) {
		t.Errorf("%+v", got)
	}
	s.Close()
	other.Close()
	if got := d.Stats(); got != (dispatch.Stats{Waiting: 1, Targets: 1}) {
		t.Errorf("after closing: %+v", got)
	}
}

func TestSettleWakesSingleWaiterAtOnce(t *testing.T) {
	d := dispatch.New(dispatch.Config{MaxInFlight: 1})
	s := d.Connect([]job.Target{app("a"), app("b")})
	w := &refusals{d: d}
	mustAccept(t, d, trigger(app("a"), "x"), ignore)
	w.refuse(t, app("b"), 1) // the capacity is of the stream, for all its targets
	id, _ := next(t, s)
	s.Settle(id, job.Failed)
	w.want(t, 1)
	mustAccept(t, d, trigger(app("b"), "x"), ignore)
	s.Close()
	w.want(t)
}

func TestScarceCapacityWakesWaitersTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const out = 10
		d := dispatch.New(dispatch.Config{MaxInFlight: out})
		s := d.Connect([]job.Target{app("a")})
		defer s.Close()
		for range out {
			mustAccept(t, d, trigger(app("a"), "x"), ignore)
			next(t, s)
		}
		w := &refusals{d: d}
		w.refuse(t, app("a"), 64)
		for id := range uint64(3) {
			s.Settle(id+1, job.Handled)
			time.Sleep(time.Millisecond)
		}
		w.want(t)
		time.Sleep(2*time.Millisecond + 1) // five since the first
		synctest.Wait()
		w.want(t, slices.Repeat([]int{1}, 64)...)

		time.Sleep(time.Hour)
		w.want(t)
	})
}

func TestCapacityForAllWaitersWakesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{MaxInFlight: 2})
		s := d.Connect([]job.Target{app("a")})
		defer s.Close()
		for range 2 {
			mustAccept(t, d, trigger(app("a"), "x"), ignore)
			next(t, s)
		}
		w := &refusals{d: d}
		w.refuse(t, app("a"), 2)
		s.Settle(1, job.Handled)
		w.want(t)
		s.Settle(2, job.Handled)
		w.want(t, 1, 1)
		time.Sleep(time.Hour)
		w.want(t)
	})
}

func TestCapacityUsedUpAgainWakesNoWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{MaxInFlight: 1})
		s := d.Connect([]job.Target{app("a")})
		mustAccept(t, d, trigger(app("a"), "x"), ignore)
		next(t, s)
		w := &refusals{d: d}
		w.refuse(t, app("a"), 2)

		s.Settle(1, job.Handled)
		mustAccept(t, d, trigger(app("a"), "another caller was faster"), ignore)
		time.Sleep(time.Hour)
		synctest.Wait()
		w.want(t)

		next(t, s)
		s.Settle(2, job.Handled)
		s.Close()
		time.Sleep(time.Hour)
		synctest.Wait()
		w.want(t) // no stream is left

		d.Connect([]job.Target{app("a")})
		time.Sleep(time.Hour)
		synctest.Wait()
		w.want(t, 1, 1)
	})
}

func TestScarceBytesDelayWakeUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{MaxBytes: 1000})
		s := d.Connect([]job.Target{app("a")})
		defer s.Close()
		for range 10 {
			mustAccept(t, d, sized(app("a"), 100), ignore)
			next(t, s)
		}
		w := &refusals{d: d}
		w.refuse(t, app("a"), 2)
		s.Settle(1, job.Handled)
		w.want(t) // there is capacity for one more like those in flight
		time.Sleep(time.Second)
		synctest.Wait()
		w.want(t, 1, 1)
	})
}

func TestWaiterMayDeliverInItsWakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions, jobs = 64, 50
		d := dispatch.New(dispatch.Config{MaxInFlight: 7})
		delivered := 0
		var fire func(partition, left int)
		fire = func(partition, left int) {
			for ; left > 0; left-- {
				refused := func(int) { fire(partition, left) }
				trig := trigger(app("a"), fmt.Sprint(left))
				trig.Partition = partition
				if !d.Deliver(trig, func(job.Outcome) { delivered++ }, refused) {
					return
				}
			}
		}
		for partition := range partitions {
			fire(partition, jobs)
		}
		s := d.Connect([]job.Target{app("a")})
		for range partitions * jobs {
			id, _ := next(t, s)
			s.Settle(id, job.Handled)
			synctest.Wait()
		}
		s.Close()
		if delivered != partitions*jobs {
			t.Errorf("delivered %d of %d", delivered, partitions*jobs)
		}
		if got := d.Stats(); got != (dispatch.Stats{}) {
			t.Errorf("left behind: %+v", got)
		}
	})
}

func TestLargeTriggerPassesStuckReceivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New(dispatch.Config{MaxPayload: 1 << 20})
		var streams []*dispatch.Stream
		for i := range 30 { // together they have more than the limit waiting
			a := app(fmt.Sprint("hung", i))
			streams = append(streams, d.Connect([]job.Target{a}))
			for d.Deliver(sized(a, 20_000), ignore, ignoreWake) {
			}
		}
		healthy := app("healthy")
		s := d.Connect([]job.Target{healthy})
		mustAccept(t, d, sized(healthy, 500_000), ignore)
		woken := make(chan struct{}, 1)
		if d.Deliver(sized(healthy, 500_000), ignore, func(int) { woken <- struct{}{} }) {
			t.Error("a second large trigger is accepted while the first waits to be sent")
		}
		id, _ := next(t, s)
		s.Settle(id, job.Handled)
		again, cancel := context.WithCancel(t.Context())
		go func() { _, _, _ = s.Next(again) }() // it has been sent
		<-woken
		mustAccept(t, d, sized(healthy, 500_000), ignore)
		cancel()
		s.Close()
		for _, s := range streams {
			s.Close()
		}
		synctest.Wait()
		if got := d.Stats(); got.InFlight != 0 || got.Streams != 0 {
			t.Errorf("left behind: %+v", got)
		}
	})
}

func TestPartitionHasAtMostOneWaiter(t *testing.T) {
	d := dispatch.New(dispatch.Config{})
	woken := 0
	for i := range 100 {
		if d.Deliver(trigger(app("a"), "x"), ignore, func(int) { woken = i }) {
			t.Fatal("an app without a stream has capacity")
		}
	}
	if got := d.Stats(); got != (dispatch.Stats{Waiting: 1, Targets: 1}) {
		t.Errorf("100 refusals of one partition keep %+v", got)
	}
	s := d.Connect([]job.Target{app("a")})
	defer s.Close()
	if woken != 99 {
		t.Errorf("refusal %d was woken, want the last", woken)
	}
}

func TestWithdrawnWaiterIsRemoved(t *testing.T) {
	d := dispatch.New(dispatch.Config{})
	w := &refusals{d: d}
	w.refuse(t, app("a"), 3)
	d.Withdraw(app("a"), 2)
	d.Withdraw(app("a"), 2)
	d.Withdraw(app("b"), 1)
	if got := d.Stats(); got != (dispatch.Stats{Waiting: 2, Targets: 1}) {
		t.Errorf("after one of three has withdrawn: %+v", got)
	}
	d.Withdraw(app("a"), 1)
	d.Withdraw(app("a"), 3)
	if got := d.Stats(); got != (dispatch.Stats{}) {
		t.Errorf("after all have withdrawn: %+v", got)
	}
	s := d.Connect([]job.Target{app("a")})
	defer s.Close()
	w.want(t)
}
