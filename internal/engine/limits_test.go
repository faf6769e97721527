package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

// TestTakeStaysWithinLimits takes turns of all small sizes from inboxes with little and much in them.
func TestTakeStaysWithinLimits(t *testing.T) {
	per := endedDelivery{delivery: &machine.Delivery{Attempt: machine.Attempt{Entry: record.Entry{Key: appKey("a", 1)}}}}.bytes()
	for _, c := range []struct{ commands, size, outcomes int }{
		{0, 0, 7}, {7, 100, 0}, {7, 100, 7}, {7, 3000, 7}, {3, 8000, 9}, {9, 1, 3}, {1, 100_000, 1}, {40, 5000, 40},
	} {
		for _, most := range []int{1, 2, 3, 5, 8, 100} {
			for _, bytes := range []int{1, per - 1, per, 3 * per, 10_000, 1 << 20} {
				i := inboxOf(t)
				i.addOutcomes("a", c.outcomes)
				i.addCommands("b", c.commands, c.size)
				commands, outcomes, turns := 0, 0, 0
				for i.busy() {
					before := i.outcomes.Len()
					w := i.take(most, bytes)
					turns++
					sum, fixed := 0, 0
					for _, k := range w.commands {
						sum += k.bytes
					}
					for _, o := range w.outcomes {
						fixed += o.bytes()
					}
					n := len(w.commands) + len(w.outcomes)
					switch {
					case n == 0:
						t.Fatalf("%+v: a turn of %d and %d bytes takes nothing", c, most, bytes)
					case n > most:
						t.Errorf("%+v: a turn of %d takes %d", c, most, n)
					case sum > bytes && len(w.commands) > 1, sum+fixed-per > bytes && len(w.outcomes) > 1:
						t.Errorf("%+v: a turn of %d bytes takes %d commands of %d and %d outcomes of %d", c, bytes, len(w.commands), sum, len(w.outcomes), fixed)
					case w.hasMore != i.busy():
						t.Errorf("%+v: that work is left is said to be %v", c, w.hasMore)
					case len(w.keys) != n:
						t.Errorf("%+v: %d keys are concerned, want %d", c, len(w.keys), n)
					case before > 0 && len(w.outcomes) == 0 && most > 1 && len(w.commands) < most:
						t.Errorf("%+v: a turn of %d and %d bytes takes %d commands and none of %d outcomes", c, most, bytes, len(w.commands), before)
					}
					if got, _ := i.waiting(); got != i.outcomes.Len() {
						t.Errorf("%+v: %d outcomes are said to wait, want %d", c, got, i.outcomes.Len())
					}
					commands, outcomes = commands+len(w.commands), outcomes+len(w.outcomes)
				}
				if commands != c.commands || outcomes != c.outcomes {
					t.Errorf("%+v: turns of %d and %d bytes take %d commands and %d outcomes", c, most, bytes, commands, outcomes)
				}
				// nothing is left out that has a place
				if least := (c.commands + c.outcomes + most - 1) / most; bytes == 1<<20 && c.size <= 100 && turns != least {
					t.Errorf("%+v: it takes %d turns of %d, want %d", c, turns, most, least)
				}
			}
		}
	}
}

func TestDeferredOutcomesGoFirst(t *testing.T) {
	i := inboxOf(t)
	i.addCommands("a", 3, 1)
	i.addOutcomes("a", 5) // the first three are of the same jobs
	w := i.take(100, 1<<20)
	if len(w.commands) != 3 || len(w.outcomes) != 2 || !w.hasMore {
		t.Errorf("the first turn takes %d commands and %d outcomes, want 3 and 2, and some left", len(w.commands), len(w.outcomes))
	}
	if n, _ := i.waiting(); n != 3 || !i.busy() {
		t.Errorf("%d outcomes wait, want 3", n)
	}
	i.addOutcomes("b", 5)
	for turn, want := range []string{"0", "1", "2"} {
		if w = i.take(1, 1<<20); len(w.outcomes) != 1 || w.outcomes[0].key() != appKey("a", turn) {
			t.Errorf("turn %d takes %v, want the outcome of %s", turn, w.outcomes, want)
		}
	}
	if w = i.take(100, 1); len(w.outcomes) != 1 {
		t.Errorf("a turn of no bytes takes %d outcomes, want one", len(w.outcomes))
	}
	if w = i.take(100, 1<<20); len(w.outcomes) != 4 || w.hasMore || i.busy() {
		t.Errorf("the last turn takes %d outcomes and leaves some: %v, want 4", len(w.outcomes), w.hasMore)
	}
}

// A held store commits when it is told to, with what it is told.
type heldStore struct {
	*script
	ends chan error
}

func (s heldStore) Commit(ctx context.Context, b *store.Batch) error {
	err := <-s.ends
	if err != nil {
		return err
	}
	return s.script.Commit(ctx, b)
}

// TestDueJobsOutsideCommitFireDuringIt fires beside a commit that takes a minute.
func TestDueJobsOutsideCommitFireDuringIt(t *testing.T) {
	for _, failure := range []error{nil, errors.New("input/output error"), job.ErrFull} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t, 1)
			begun := time.Now()
			s.loop.now = func() time.Time { return s.epoch.Add(time.Since(begun)) }
			at := func(d time.Duration) job.Spec { return *dueAt(s.epoch.Add(d)) }
			s.put(t, appKey("app", 1), at(10*time.Second), false)
			s.put(t, appKey("app", 2), at(20*time.Second), false)
			s.put(t, appKey("app", 3), at(90*time.Second), false)
			s.put(t, appKey("other", 4), at(30*time.Second), false)
			for n := range 5 {
				s.put(t, appKey("many", 10+n), at(40*time.Second), false)
			}
			ends := make(chan error)
			s.store = heldStore{s, ends}
			time.AfterFunc(time.Minute, func() { ends <- failure })
			c := &command{key: appKey("app", 2), addsData: true, done: make(chan error, 1), decide: func(m *machine.Machine, old machine.Stored) error {
				spec := at(25 * time.Second)
				return m.Schedule(appKey("app", 2), &spec, record.EncodeSpec(appKey("app", 2), &spec), true, old)
			}}
			if !s.inbox.slots.TryAcquire(1) {
				t.Fatal("no room")
			}
			s.inbox.update(func() { s.inbox.enqueue(c) })
			limit := s.limit
			limit.firesInCommit = 2
			var left []time.Duration
			s.sent = func() { left = append(left, time.Since(begun)) }
			err := s.turn(t.Context(), s.loop.now(), limit)
			if (err != nil) != (failure != nil && !errors.Is(failure, job.ErrFull)) {
				t.Errorf("a turn whose commit ended with %v ended with %v", failure, err)
			}
			want := []string{"1", "4", "10", "11", "12", "13", "14"}
			got := s.deliveries()
			if len(got) != len(want) {
				t.Errorf("beside a commit %q left, want %q", got, want)
			}
			for i, at := range []int{10, 30, 40, 40, 40, 40, 40} {
				if i < len(left) && left[i] != time.Duration(at)*time.Second {
					t.Errorf("trigger %d left after %v, want %v s", i, left[i], at)
				}
			}
			if took := time.Since(begun); took != time.Minute {
				t.Errorf("the turn took %v, want as long as the commit", took)
			}
			if failure == nil {
				if err := s.machine.Check(); err != nil {
					t.Error(err)
				}
				s.now = s.loop.now()
				if err := s.turn(t.Context(), s.now, limit); err != nil {
					t.Error(err)
				}
				if got := s.deliveries(); len(got) != 1 {
					t.Errorf("in the next turn %q left, want what was replaced", got)
				}
			}
			if failure == nil != (len(c.done) == 1 && <-c.done == nil) && !errors.Is(failure, job.ErrFull) {
				t.Errorf("after a commit that ended with %v its caller was not told so", failure)
			}
		})
	}
}

// A bounded store carries so much in a commit.
type boundedStore struct {
	store.Store
	writes, bytes int
}

func (s boundedStore) MaxBatch() (writes, bytes int) { return s.writes, s.bytes }

func TestTurnFitsCommit(t *testing.T) {
	for _, c := range []struct {
		turn, most, writes, bytes int
		want                      turnLimits
	}{
		{256, 0, 10_000, 4 << 20, turnLimits{256, 2 << 20, 128, 64}},
		{256, 0, 128, 1 << 20, turnLimits{25, 1 << 19, 128, 64}},
		{256, 1000, 3, 1 << 20, turnLimits{1, 1000, 128, 64}},
		{64, 1 << 20, 10_000, 1 << 20, turnLimits{64, 1 << 19, 64, 32}},
		{1, 0, 10_000, 1 << 20, turnLimits{1, 1 << 19, 1, 1}},
	} {
		s := newScript(t, 1)
		s.store = boundedStore{s, c.writes, c.bytes}
		s.maxWork, s.maxWorkBytes = c.turn, c.most
		if got := s.turnLimits(); got != c.want {
			t.Errorf("%+v: a turn takes %+v", c, got)
		}
	}
	if got, want := MaxJobFor(1<<20), 1<<19-6<<10; got != want {
		t.Errorf("in commits of a MiB a job has %d bytes at most, want %d", got, want)
	}
}

func TestReadsOfDueJobsAreBoundedInBytes(t *testing.T) {
	for bytes, want := range map[int]int{300 << 10: dueKeys, 10: 40} {
		s := new(script)
		s.begin(t, 1, 1<<16, 1000)
		s.limit.fires = 0
		for i := range 40 { // five lanes, whose windows hold all of it
			spec := dueAt(s.now.Add(time.Second))
			spec.Data = &job.Data{Value: make([]byte, bytes)}
			s.put(t, appKey(fmt.Sprint("app", i%5), i), *spec, false)
		}
		s.limit.fires = 256
		s.now = s.now.Add(time.Second)
		before := s.quotaLeft(t)
		if err := s.turn(t.Context(), s.now, s.limit); err != nil {
			t.Fatal(err)
		}
		if got := len(s.deliveries()); got != want {
			t.Errorf("of 40 jobs of %d bytes %d are fired in a turn, want %d", bytes, got, want)
		}
		if got, held := before-s.quotaLeft(t)-float64(s.reserved()), s.machine.InFlight(); int(got+0.5) != want || held != want {
			t.Errorf("of 40 jobs of %d bytes %d fired, %v are paid for, and %d are in flight", bytes, want, got, held)
		}
		s.idle(t)
		if got := s.machine.Stats(s.now).Out; got != 40 {
			t.Errorf("%d of 40 jobs of %d bytes are in flight in the end", got, bytes)
		}
		if err := s.check(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestPayloadIsReadOnlyForRewrites(t *testing.T) {
	s := newScript(t, 1)
	spec := dueAt(s.now.Add(time.Hour))
	spec.Data = &job.Data{Value: []byte("payload")}
	var commands []*command
	for i := range 3*commandKeys + 1 {
		if i%3 > 0 {
			s.put(t, appKey("app", i), *spec, false)
		}
		commands = append(commands, &command{key: appKey("app", i), needsPayload: i%3 == 2})
	}
	records, err := s.readForCommands(t.Context(), commands)
	if err != nil || len(records) != len(commands) {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for i, r := range records {
		if (r.Spec != nil) != (i%3 > 0) || r.Spec != nil && (r.Spec.Data != nil) != (i%3 == 2) {
			t.Errorf("record %d is %+v", i, r)
		}
	}
}

func TestAtMostTwoStraysOfJobAreFound(t *testing.T) {
	s := newScript(t, 1)
	var b store.Batch
	for n := range 4 {
		for _, at := range []time.Duration{1, 2, 3} {
			if int(at) <= n {
				b.Put(record.DueKey(s.entry(appKey("app", n), s.now.Add(at))), nil)
			}
		}
	}
	b.Put(append(record.DueKey(s.entry(appKey("app", 2), s.now)), 'x'), nil)
	if err := s.db.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for n, want := range []int{0, 1, 2, 2} {
		found, err := s.readStrays(t.Context(), appKey("app", n))
		if err != nil || len(found) != want {
			t.Errorf("%d of %d entries are found, %v; want %d", len(found), n, err, want)
		}
		for i, e := range found {
			if e.Key != appKey("app", n) || !e.Due.Equal(s.now.Add(time.Duration(i+1))) {
				t.Errorf("entry %d of %d is %+v", i, n, e)
			}
		}
	}
	s.blind = errors.New("input/output error")
	if _, err := s.readStrays(t.Context(), appKey("app", 1)); !errors.Is(err, s.blind) {
		t.Errorf("of a store that cannot be read: %v", err)
	}
}

// TestBatchTakesSlotsAsTheyComeFree posts more commands of one group than there is room for.
func TestBatchTakesSlotsAsTheyComeFree(t *testing.T) {
	i := newInbox(4, 4<<10)
	g := newGroup(7)
	var all []*command
	for n := range 7 {
		all = append(all, &command{key: appKey("app", n), group: g, index: n})
	}
	all[5].bytes = 2 << 10 // takes three
	if n := i.acquireSlots(t.Context(), all); n != 4 || i.slots.TryAcquire(1) {
		t.Errorf("of 4 slots %d are claimed", n)
	}
	i.slots.Release(1)
	if n := i.acquireSlots(t.Context(), all[4:]); n != 1 {
		t.Errorf("of one slot %d are claimed", n)
	}
	i.slots.Release(4)
	if n := i.acquireSlots(t.Context(), all[5:]); n != 2 || i.slots.TryAcquire(1) {
		t.Errorf("of a large one and a small one %d are claimed, which take all slots", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := i.acquireSlots(ctx, all); n != 0 {
		t.Errorf("by a caller that has gone %d are claimed", n)
	}
}

func TestFullStoreIsRetried(t *testing.T) {
	var full error
	says := func() error { return full }
	for _, c := range []struct {
		now  time.Duration
		says func() error
		full error
		want bool
	}{
		{4 * time.Second, nil, nil, true},
		{5 * time.Second, nil, nil, false},
		{4 * time.Second, says, job.ErrFull, true},
		{4 * time.Second, says, nil, false},
		{5 * time.Second, says, job.ErrFull, false},
	} {
		s := degraded{retryAt: 5 * time.Second, full: c.says}
		if full = c.full; s.deletionsOnly(c.now) != c.want {
			t.Errorf("after %v, with %v, nothing but deletions is tried: %v", c.now, c.full, !c.want)
		}
	}
}
