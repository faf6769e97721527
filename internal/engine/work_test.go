package engine

import (
	"fmt"
	"testing"
	"time"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// An inboxOf is an inbox of partition 0, which its loop has.
func inboxOf(t *testing.T) *inbox {
	t.Helper()
	i := newInbox(1<<16, 1<<30)
	i.setLoading(0)
	i.setOwned(0)
	return i
}

func appKey(app string, n int) job.Key {
	return job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: app}, Name: fmt.Sprint(n)}
}

func (i *inbox) addOutcomes(app string, n int) {
	for number := range n {
		i.addOutcome(endedDelivery{&machine.Delivery{Attempt: machine.Attempt{Entry: record.Entry{Key: appKey(app, number)}}}, job.Handled, time.Time{}})
	}
}

func (i *inbox) addCommands(app string, n, bytes int) {
	for number := range n {
		i.update(func() { i.enqueue(&command{key: appKey(app, number), bytes: bytes}) })
	}
}

func (w work) of(app string) (commands, outcomes int) {
	for _, c := range w.commands {
		if c.key.Target.Name == app {
			commands++
		}
	}
	for _, o := range w.outcomes {
		if o.target().Name == app {
			outcomes++
		}
	}
	return commands, outcomes
}

func TestCommandsAndOutcomesShareTurn(t *testing.T) {
	for _, c := range []struct{ outcomes, commands, wantOutcomes, wantCommands int }{
		{1000, 1000, 50, 50},
		{1000, 10, 90, 10},
		{10, 1000, 10, 90},
		{1000, 0, 100, 0},
		{0, 1000, 0, 100},
		{5, 5, 5, 5},
	} {
		i := inboxOf(t)
		i.addOutcomes("a", c.outcomes)
		i.addCommands("b", c.commands, 1)
		w := i.take(100, 1<<20)
		if len(w.outcomes) != c.wantOutcomes || len(w.commands) != c.wantCommands {
			t.Errorf("of %d outcomes and %d commands a turn takes %d and %d, want %d and %d",
				c.outcomes, c.commands, len(w.outcomes), len(w.commands), c.wantOutcomes, c.wantCommands)
		}
		if left := c.outcomes+c.commands > 100; w.hasMore != left {
			t.Errorf("of %d outcomes and %d commands it says that others are left: %v", c.outcomes, c.commands, w.hasMore)
		}
	}
}

func TestBusyTargetDelaysNoOther(t *testing.T) {
	i := inboxOf(t)
	for n := range 50 {
		i.addOutcomes(fmt.Sprint("busy", n), 100)
		i.addCommands(fmt.Sprint("busy", n), 100, 1)
	}
	for range 30 { // each has had a turn
		i.take(100, 1<<20)
	}
	i.addOutcomes("other", 3)
	i.addCommands("other", 2, 1)
	w := i.take(100, 1<<20)
	// the outcomes are of jobs 0, 1 and 2, and the commands of 0 and 1
	if commands, outcomes := w.of("other"); commands != 2 || outcomes != 1 {
		t.Errorf("the next turn takes %d commands and %d outcomes of it, want 2 and 1", commands, outcomes)
	}
	if _, outcomes := i.take(100, 1<<20).of("other"); outcomes != 2 {
		t.Errorf("the turn after it takes %d outcomes of it, want the 2 of jobs that commands concerned", outcomes)
	}
}

func TestCommandsOfOneJobKeepTheirOrder(t *testing.T) {
	i := inboxOf(t)
	for n := range 5 {
		i.update(func() { i.enqueue(&command{key: appKey("a", 0), bytes: 1, index: n}) })
		i.addOutcomes("a", 1) // of the same job
	}
	for n := range 5 {
		w := i.take(100, 1<<20)
		if len(w.commands)+len(w.outcomes) == 0 || len(w.commands) > 1 {
			t.Fatalf("turn %d takes %d commands about one job", n, len(w.commands))
		}
		if len(w.commands) == 1 && len(w.outcomes) > 0 {
			t.Errorf("turn %d takes a command and an outcome of one job", n)
		}
	}
	for turn := 0; i.busy(); turn++ {
		if turn == 5 {
			t.Fatal("after ten turns something waits")
		}
		i.take(100, 1<<20)
	}
}

func TestLargeCommandHasOwnTurn(t *testing.T) {
	i := inboxOf(t)
	i.addCommands("large", 2, 5000)
	i.addCommands("small", 3, 10)
	var sizes []string
	for i.busy() {
		w := i.take(100, 1000)
		bytes := 0
		for _, c := range w.commands {
			bytes += c.bytes
		}
		if bytes > 1000 && len(w.commands) > 1 {
			t.Errorf("a turn takes %d commands of %d bytes, want no more than 1000, or one", len(w.commands), bytes)
		}
		sizes = append(sizes, fmt.Sprint(bytes))
	}
	if len(sizes) > 4 {
		t.Errorf("it takes turns of %v bytes, want two large ones and one or two small ones", sizes)
	}
}

func TestLargeCommandsLeaveSpaceForOutcomes(t *testing.T) {
	i := inboxOf(t)
	i.addCommands("a", 1000, 500)
	i.addOutcomes("b", 1000)
	w := i.take(100, 20_000)
	commands := len(w.commands) * 500
	outcomes := 0
	for _, o := range w.outcomes {
		outcomes += o.bytes()
	}
	if commands > 11_000 || outcomes < 9_000 || commands+outcomes > 21_000 {
		t.Errorf("a turn of 20000 bytes takes %d of commands and %d of outcomes, want half each", commands, outcomes)
	}
}

func TestTurnsOfCommandAreCounted(t *testing.T) {
	i := inboxOf(t)
	i.take(100, 1<<20)
	for range 3 { // of one job, of which each turn takes one
		i.update(func() { i.enqueue(&command{key: appKey("a", 1), bytes: 1}) })
	}
	for turn := range 3 {
		if w := i.take(100, 1<<20); len(w.commands) != 1 || w.turnsWaited != turn+1 {
			t.Errorf("turn %d takes %d commands, one of which has waited %d turns; want one that has waited %d", turn, len(w.commands), w.turnsWaited, turn+1)
		}
	}
	if w := i.take(100, 1<<20); w.turnsWaited != 0 {
		t.Errorf("a turn without commands counts %d turns", w.turnsWaited)
	}
}

func TestCommandsOfOneJobDelayNoOtherTarget(t *testing.T) {
	i := inboxOf(t)
	for range 40 {
		i.update(func() { i.enqueue(&command{key: appKey("a", 0), bytes: 1}) })
	}
	i.addCommands("b", 5, 1)
	w := i.take(20, 1<<20)
	if a, _ := w.of("a"); a != 1 {
		t.Errorf("a turn takes %d commands of one job, want one", a)
	}
	if b, _ := w.of("b"); b != 5 {
		t.Errorf("a turn takes %d commands of the other target, want all 5", b)
	}
	for turn := range 39 {
		if w := i.take(20, 1<<20); len(w.commands) != 1 {
			t.Errorf("turn %d takes %d commands of one job, want one", turn, len(w.commands))
		}
	}
	if i.busy() {
		t.Error("some wait yet")
	}
}

func TestOutcomeSizeCoversItsWrites(t *testing.T) {
	k := job.Key{Target: job.Target{Kind: job.Actor, Namespace: "namespace", Name: "type"}, ActorID: "an id", Name: "a name"}
	names := len("namespace") + len("type") + len("an id") + len("a name")
	o := endedDelivery{delivery: &machine.Delivery{Attempt: machine.Attempt{Entry: record.Entry{Key: k}}}}
	if got, want := o.bytes(), writesPerJob*(names+64); got != want {
		t.Errorf("an outcome has %d bytes, want %d", got, want)
	}
	written := len(record.JobKey(k)) + len(record.StateKey(k)) + 2*len(record.DueKey(record.Entry{Key: k})) + len(record.EncodeState(record.State{Attempts: 1}))
	if got := o.bytes(); got < written {
		t.Errorf("an outcome is said to have %d bytes at most, and has %d", got, written)
	}
}
