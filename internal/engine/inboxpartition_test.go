package engine

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/job"
)

func TestPartitionStateTransitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ops := []struct {
			name string
			do   func(*inbox)
			to   map[partitionState]partitionState // absent: it stays
		}{
			{"expect", func(i *inbox) { i.setLoading(0) }, map[partitionState]partitionState{partitionUnknown: partitionLoading, partitionReleased: partitionLoading}},
			{"hold", func(i *inbox) { i.setOwned(0) }, map[partitionState]partitionState{partitionLoading: partitionOwned}},
			{"lost", func(i *inbox) { i.setLost(0) }, map[partitionState]partitionState{partitionOwned: partitionLoading}},
			{"disown", func(i *inbox) { i.setReleased(0) }, map[partitionState]partitionState{partitionUnknown: partitionReleased, partitionLoading: partitionReleased, partitionOwned: partitionReleased}},
		}
		for _, op := range ops {
			for _, from := range []partitionState{partitionUnknown, partitionLoading, partitionOwned, partitionReleased} {
				i := newInbox(4, 1<<20)
				begun := time.Now()
				i.partitions[0] = partitionStatus{from, begun}
				time.Sleep(time.Second)
				c := &command{key: appKey("app", 0), done: make(chan error, 1)}
				if !i.slots.TryAcquire(1) {
					t.Fatal("no room")
				}
				i.unowned = []*command{c}
				op.do(i)
				want, moved := op.to[from]
				if !moved {
					want = from
				}
				got := i.partitions[0]
				if got.state != want || i.isOwned(0) != (want == partitionOwned) {
					t.Errorf("%s from %d leads to %d, want %d", op.name, from, got.state, want)
				}
				since := begun
				if moved && from == partitionUnknown {
					since = time.Time{}
				} else if moved {
					since = time.Now()
				}
				if !got.since.Equal(since) {
					t.Errorf("%s from %d is so since %v, want %v", op.name, from, got.since, since)
				}
				// a command goes where the partition is
				replied, waits, early := len(c.done) == 1, i.commands.Len() == 1, len(i.unowned) == 1
				switch {
				case moved && want == partitionOwned && !waits, moved && want == partitionReleased && !replied, (!moved || want != partitionOwned && want != partitionReleased) && !early:
					t.Errorf("after %s from %d a command is answered %v, waits for a turn %v, waits for the partition %v", op.name, from, replied, waits, early)
				}
				if replied && !errors.Is(<-c.done, ErrNotOwner) {
					t.Errorf("%s from %d answers something else", op.name, from)
				}
				if replied != i.slots.TryAcquire(4) {
					t.Errorf("after %s from %d the room of a command is there: %v", op.name, from, !replied)
				}
			}
		}
	})
}

func TestPartitionLoadingTooLongIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInbox(4, 1<<20)
		missing := func(want ...int) {
			t.Helper()
			if got := i.notOwnedFor([]int{0, 1, 2}, 3*time.Second); !slices.Equal(got, want) {
				t.Errorf("%v are missing, want %v", got, want)
			}
		}
		missing()
		i.setLoading(0)
		i.setLoading(1)
		missing(0, 1) // they have never been here
		i.setOwned(0)
		i.setOwned(1)
		missing()
		i.setLost(1)
		time.Sleep(3 * time.Second)
		missing()
		time.Sleep(time.Nanosecond)
		missing(1)
		i.setReleased(1)
		missing()
	})
}

func TestClosedInboxRefusesCommands(t *testing.T) {
	i := newInbox(8, 1<<20)
	i.setLoading(0)
	i.setOwned(0)
	post := func(partition int) *command {
		c := &command{key: appKey("app", 0), partition: partition, done: make(chan error, 1)}
		if !i.slots.TryAcquire(1) {
			t.Fatal("no room")
		}
		i.update(func() { i.enqueue(c) })
		return c
	}
	ownershipOf := func(p int) *ownership { return &ownership{partition: p, released: make(chan struct{})} }
	over := func(e *ownership) bool {
		select {
		case <-e.released:
			return true
		default:
			return false
		}
	}
	begun, waits, withdrawn, ending := ownershipOf(0), ownershipOf(1), ownershipOf(2), ownershipOf(3)
	i.beginOwnership(begun)
	if w := i.take(1, 1); len(w.changes) != 1 || w.changes[0].ownership != begun || w.changes[0].release {
		t.Errorf("a turn takes %+v", w.changes)
	}
	i.beginOwnership(waits)
	i.beginOwnership(withdrawn)
	i.endOwnership(withdrawn)
	i.endOwnership(ending) // whose beginning was taken
	if !over(withdrawn) || len(i.changes) != 2 || i.changes[1] != (ownershipChange{ending, true}) || !i.busy() {
		t.Errorf("an ownership that ends before it has begun is released: %v; %+v wait", over(withdrawn), i.changes)
	}
	all := []*command{post(0), post(5), post(0)}
	i.close()
	all = append(all, post(0), post(5))
	for n, c := range all {
		if len(c.done) != 1 || !errors.Is(<-c.done, job.ErrUnavailable) {
			t.Errorf("command %d is not told that the loop has ended", n)
		}
	}
	if !i.slots.TryAcquire(8) {
		t.Error("commands that were answered take room yet")
	}
	late := ownershipOf(6)
	i.beginOwnership(late)
	i.endOwnership(begun)
	if !over(waits) || !over(late) || over(ending) || over(begun) || len(i.changes) > 0 || len(i.unowned) > 0 {
		t.Errorf("after the end: %v %v %v %v, %d moves", over(waits), over(late), over(ending), over(begun), len(i.changes))
	}
	select {
	case <-i.ended:
	default:
		t.Error("nobody hears that it has ended")
	}
}

func TestLoopSleepsUntilNextEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, 2)
		want := func(sleep time.Duration, due bool) {
			t.Helper()
			got, at, ok := s.nextTurn()
			if !ok || got != sleep || at.IsZero() == due {
				t.Errorf("it sleeps for %v until %v, %v; want %v", got, at, ok, sleep)
			}
		}
		if _, _, ok := s.nextTurn(); ok || s.isReleasing() {
			t.Error("with nothing to do it does not sleep")
		}
		s.put(t, appKey("app", 1), *dueAt(s.now.Add(2 * time.Hour)), false)
		want(maxSleep, true)
		s.now = s.now.Add(119 * time.Minute)
		want(time.Minute, true)
		s.degraded.kept, s.degraded.retryAt = make([]endedDelivery, 1), s.elapsed()+5*time.Second
		want(5*time.Second, false)
		s.degraded.backlogFull = true
		s.degraded.retryAt = s.elapsed() + 5*time.Minute
		want(5*time.Minute, false) // what is due does not matter
		s.degraded.backlogFull = false
		want(time.Minute, true)
		s.degraded.kept = nil
		s.ownerships[1].releaseAt = s.elapsed() + time.Second
		if !s.isReleasing() {
			t.Error("it is not said that a partition is to go")
		}
		want(time.Second, false)
		time.Sleep(500 * time.Millisecond)
		want(500*time.Millisecond, false)
		s.ownerships[1].releaseAt += time.Hour
		want(time.Minute, true)
	})
}
