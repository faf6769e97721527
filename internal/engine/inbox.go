package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"carillon/internal/job"
)

// An inbox holds what is waiting for a loop's next turn. Anyone may add to it; the loop alone takes.
//
// Commands come from callers, who wait for room when it is full. Outcomes and news of room come from deliveries and are
// never refused: there is at most one outcome for each trigger that is out, and one piece of news for each parked lane.
// Looks come from whoever reads metrics, one at a time. Moves come from Own, one for each partition at a time.
type inbox struct {
	wake  chan struct{} // holds one token while there may be something to take
	slots chan struct{} // a token for each command that is waiting or being carried out
	ended chan struct{} // closed when the loop has ended

	mu       sync.Mutex      // guards the fields below
	holdings map[int]holding // of the loop's partitions
	commands []*command      // about partitions that are held
	early    []*command      // about others, in their order
	outcomes []outcome
	rooms    []room
	looks    []func(m *machine, now time.Time)
	moves    []move
	closed   bool // whoever asks is turned away
}

var errStopping = fmt.Errorf("the scheduler is stopping: %w", job.ErrUnavailable)

// close turns away whoever is waiting, and whoever comes.
func (i *inbox) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	close(i.ended)
	for _, c := range slices.Concat(i.early, i.commands) {
		i.reply(c, errStopping)
	}
	i.early, i.commands = nil, nil
	for _, v := range i.moves {
		if !v.leave {
			close(v.tenure.over)
		}
	}
	i.moves = nil
}

// A command is something that a caller wants done to the job of one key. decide is called by the loop with the
// record that the store holds; its effects are committed before done hears of it.
type command struct {
	key       job.Key
	partition int // of key
	bytes     int // of the batch, about
	decide    func(m *machine, old record) error
	stores    bool       // something, and so does more than delete
	done      chan error // holds one; nil if the command is part of a group
	group     *group
	index     int // in group
}

// An outcome is how a delivery ended.
type outcome struct {
	key     job.Key
	number  uint64
	outcome job.Outcome
}

// A room is the news that a lane's receivers can take about n more.
type room struct {
	lane laneID
	n    int
}

func newInbox(bound int) *inbox {
	return &inbox{wake: make(chan struct{}, 1), slots: make(chan struct{}, bound), ended: make(chan struct{}), holdings: map[int]holding{}}
}

// ask has c carried out and returns its error. When ctx ends first, c may still be carried out.
func (i *inbox) ask(ctx context.Context, c *command) error {
	if err := i.post(ctx, c); err != nil {
		return err
	}
	return c.wait(ctx)
}

// post waits for room and has c carried out some time; when it returns an error, never.
func (i *inbox) post(ctx context.Context, c *command) error {
	c.done = make(chan error, 1)
	select {
	case i.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	i.add(func() { i.enqueue(c) })
	return nil
}

// wait returns the error of a command that was posted.
func (c *command) wait(ctx context.Context) error {
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (i *inbox) settle(o outcome) { i.add(func() { i.outcomes = append(i.outcomes, o) }) }

// look has f called with the machine in the next turn, which it must not change.
func (i *inbox) look(f func(m *machine, now time.Time)) {
	i.add(func() { i.looks = append(i.looks, f) })
}

func (i *inbox) room(r room) { i.add(func() { i.rooms = append(i.rooms, r) }) }

func (i *inbox) add(enter func()) {
	i.mu.Lock()
	enter()
	i.mu.Unlock()
	i.poke()
}

// poke makes the loop have a turn.
func (i *inbox) poke() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// reply tells c's caller how it ended, and lets the next one in.
func (i *inbox) reply(c *command, err error) {
	if c.group != nil {
		c.group.tell(c.index, err)
	} else {
		c.done <- err
	}
	<-i.slots
}

// A work is what one turn takes on. No two parts of it concern the same job.
type work struct {
	commands []*command
	outcomes []outcome
	rooms    []room
	looks    []func(m *machine, now time.Time)
	moves    []move
	keys     map[job.Key]struct{} // of the commands and outcomes, and perhaps of others
}

// bytes is how much of a batch o takes, at most.
func (o outcome) bytes() int {
	const fixed = 64 // a State, and what keys have around names
	k := o.key
	return writesPerJob * (len(k.Target.Namespace) + len(k.Target.Name) + len(k.ActorID) + len(k.Name) + fixed)
}

// fitting returns how many of outcomes, up to most, take no more than bytes together.
func fitting(outcomes []outcome, most, bytes int) int {
	n := 0
	for n < len(outcomes) && n < most && (n == 0 || outcomes[n].bytes() <= bytes) {
		bytes -= outcomes[n].bytes()
		n++
	}
	return n
}

// take removes up to most outcomes and commands, of about bytes each. What it leaves is in order.
func (i *inbox) take(most, bytes int) work {
	i.mu.Lock()
	defer i.mu.Unlock()
	var w work
	w.rooms, i.rooms = i.rooms, nil
	w.looks, i.looks = i.looks, nil
	w.moves, i.moves = i.moves, nil
	n := fitting(i.outcomes, most, bytes)
	w.outcomes, i.outcomes = i.outcomes[:n:n], i.outcomes[n:]
	if len(i.outcomes) == 0 {
		i.outcomes = nil
	}
	if n+len(i.commands) == 0 {
		return w
	}
	w.keys = make(map[job.Key]struct{}, n+len(i.commands))
	for _, o := range w.outcomes {
		w.keys[o.key] = struct{}{}
	}
	rest := i.commands[:0]
	for _, c := range i.commands {
		_, again := w.keys[c.key]
		w.keys[c.key] = struct{}{}
		if full := len(w.outcomes)+len(w.commands) >= most || bytes < c.bytes && len(w.commands) > 0; again || full {
			rest = append(rest, c)
			continue
		}
		bytes -= c.bytes
		w.commands = append(w.commands, c)
	}
	clear(i.commands[len(rest):])
	i.commands = rest
	return w
}

// busy reports whether something is waiting.
func (i *inbox) busy() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.commands)+len(i.outcomes)+len(i.rooms)+len(i.looks)+len(i.moves) > 0
}
