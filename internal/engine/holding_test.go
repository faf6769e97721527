package engine

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/job"
)

func TestPartitionComesAndGoesOnlyFromWhereItStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ops := []struct {
			name string
			do   func(*inbox)
			to   map[hold]hold // absent: it stays
		}{
			{"expect", func(i *inbox) { i.expect(0) }, map[hold]hold{unknown: coming, gone: coming}},
			{"hold", func(i *inbox) { i.hold(0) }, map[hold]hold{coming: held}},
			{"lost", func(i *inbox) { i.lost(0) }, map[hold]hold{held: coming}},
			{"disown", func(i *inbox) { i.disown(0) }, map[hold]hold{unknown: gone, coming: gone, held: gone}},
		}
		for _, op := range ops {
			for _, from := range []hold{unknown, coming, held, gone} {
				i := newInbox(4, 1<<20)
				begun := time.Now()
				i.holdings[0] = holding{from, begun}
				time.Sleep(time.Second)
				c := &command{key: appKey("app", 0), done: make(chan error, 1)}
				if !i.slots.TryAcquire(1) {
					t.Fatal("no room")
				}
				i.early = []*command{c}
				op.do(i)
				want, moved := op.to[from]
				if !moved {
					want = from
				}
				got := i.holdings[0]
				if got.hold != want || i.holds(0) != (want == held) {
					t.Errorf("%s from %d leads to %d, want %d", op.name, from, got.hold, want)
				}
				since := begun
				if moved && from == unknown {
					since = time.Time{}
				} else if moved {
					since = time.Now()
				}
				if !got.since.Equal(since) {
					t.Errorf("%s from %d is so since %v, want %v", op.name, from, got.since, since)
				}
				// a command goes where the partition is
				replied, waits, early := len(c.done) == 1, i.commands.Len() == 1, len(i.early) == 1
				switch {
				case moved && want == held && !waits, moved && want == gone && !replied, (!moved || want != held && want != gone) && !early:
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

func TestPartitionIsMissingWhenItHasNotComeForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newInbox(4, 1<<20)
		missing := func(want ...int) {
			t.Helper()
			if got := i.missing([]int{0, 1, 2}, 3*time.Second); !slices.Equal(got, want) {
				t.Errorf("%v are missing, want %v", got, want)
			}
		}
		missing()
		i.expect(0)
		i.expect(1)
		missing(0, 1) // they have never been here
		i.hold(0)
		i.hold(1)
		missing()
		i.lost(1)
		time.Sleep(3 * time.Second)
		missing()
		time.Sleep(time.Nanosecond)
		missing(1)
		i.disown(1)
		missing()
	})
}

func TestInboxThatClosesAnswersWhoeverWaitsAndComes(t *testing.T) {
	i := newInbox(8, 1<<20)
	i.expect(0)
	i.hold(0)
	post := func(partition int) *command {
		c := &command{key: appKey("app", 0), partition: partition, done: make(chan error, 1)}
		if !i.slots.TryAcquire(1) {
			t.Fatal("no room")
		}
		i.add(func() { i.enqueue(c) })
		return c
	}
	tenureOf := func(p int) *tenure { return &tenure{partition: p, over: make(chan struct{})} }
	over := func(e *tenure) bool {
		select {
		case <-e.over:
			return true
		default:
			return false
		}
	}
	begun, waits, withdrawn, ending := tenureOf(0), tenureOf(1), tenureOf(2), tenureOf(3)
	i.enter(begun)
	if w := i.take(1, 1); len(w.moves) != 1 || w.moves[0].tenure != begun || w.moves[0].leave {
		t.Errorf("a turn takes %+v", w.moves)
	}
	i.enter(waits)
	i.enter(withdrawn)
	i.leave(withdrawn)
	i.leave(ending) // whose beginning was taken
	if !over(withdrawn) || len(i.moves) != 2 || i.moves[1] != (move{ending, true}) || !i.busy() {
		t.Errorf("a tenure that goes before it has begun is over: %v; %+v wait", over(withdrawn), i.moves)
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
	late := tenureOf(6)
	i.enter(late)
	i.leave(begun)
	if !over(waits) || !over(late) || over(ending) || over(begun) || len(i.moves) > 0 || len(i.early) > 0 {
		t.Errorf("after the end: %v %v %v %v, %d moves", over(waits), over(late), over(ending), over(begun), len(i.moves))
	}
	select {
	case <-i.ended:
	default:
		t.Error("nobody hears that it has ended")
	}
}

func TestLoopSleepsUntilTheFirstThingThatIsToBeDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, 2)
		want := func(sleep time.Duration, due bool) {
			t.Helper()
			got, at, ok := s.next()
			if !ok || got != sleep || at.IsZero() == due {
				t.Errorf("it sleeps for %v until %v, %v; want %v", got, at, ok, sleep)
			}
		}
		if _, _, ok := s.next(); ok || s.leaving() {
			t.Error("with nothing to do it does not sleep")
		}
		s.put(t, appKey("app", 1), *dueAt(s.now.Add(2 * time.Hour)), false)
		want(maxSleep, true)
		s.now = s.now.Add(119 * time.Minute)
		want(time.Minute, true)
		s.strain.kept, s.strain.until = make([]outcome, 1), s.elapsed()+5*time.Second
		want(5*time.Second, false)
		s.strain.brim = true
		s.strain.until = s.elapsed() + 5*time.Minute
		want(5*time.Minute, false) // what is due does not matter
		s.strain.brim = false
		want(time.Minute, true)
		s.strain.kept = nil
		s.tenures[1].until = s.elapsed() + time.Second
		if !s.leaving() {
			t.Error("it is not said that a partition is to go")
		}
		want(time.Second, false)
		time.Sleep(500 * time.Millisecond)
		want(500*time.Millisecond, false)
		s.tenures[1].until += time.Hour
		want(time.Minute, true)
	})
}
