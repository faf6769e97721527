package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"carillon/internal/engine/record"
	"carillon/internal/fair"
	"carillon/internal/job"
)

// An inbox holds what is waiting for a loop's turns. Anyone may add to it; the loop alone takes.
//
// Commands come from callers, who wait for room when it is full. Outcomes and news of room come from deliveries and are
// never refused: there is at most one outcome for each trigger in flight, and one piece of news for each waiter of the
// deliverer, which are no more than the lanes that were parked at once since the last turn. Looks come from whoever reads
// metrics; beyond maxLooks they are let go. Moves come from Own, one for each partition at a time.
//
// Commands and outcomes wait by target, and each turn takes of them fairly: a target with many makes none of another's
// wait. Neither can fill a turn as long as the other waits.
type inbox struct {
	wake  chan struct{}       // holds one token while there may be something to take
	slots *semaphore.Weighted // of commands that are waiting or being carried out; a large one takes several
	count int64               // of slots
	slot  int                 // how many bytes of a command take one
	ended chan struct{}       // closed when the loop has ended

	mu       sync.Mutex                        // guards the fields below
	holdings map[int]holding                   // of the loop's partitions
	commands *fair.Queue[job.Target, *command] // about partitions that are held
	early    []*command                        // about others, in their order
	outcomes *fair.Queue[job.Target, outcome]
	deferred []outcome // that go first: a command concerned their job in the last turn
	rooms    []room
	looks    []func(lp *loop, now time.Time)
	moves    []move
	turns    int  // that were taken
	closed   bool // whoever asks is turned away
}

var errStopping = fmt.Errorf("the scheduler is stopping: %w", job.ErrUnavailable)

// close turns away whoever is waiting, and whoever comes.
func (i *inbox) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	close(i.ended)
	for _, c := range append(i.early, i.commands.Drain()...) {
		i.reply(c, errStopping)
	}
	i.early = nil
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
	decide    func(m *machine, old stored) error
	stores    bool            // something, and so does more than delete
	spec      *job.Spec       // that it stores; nil if it deletes, or stores another thing than a job
	rewrites  bool            // what is stored, so that decide is given the payload, too
	done      chan error      // holds one; nil if the command is part of a group
	gone      <-chan struct{} // closed when its caller does not wait any more; nil if that is not known
	group     *group
	index     int // in group
	posted    int // how many turns its inbox had had when it could have been taken first
}

// An outcome is how a delivery ended.
type outcome struct {
	delivery *delivery // whose entry's place does not change; the rest of it is the loop's
	outcome  job.Outcome
	at       time.Time // when it has ended, by the clock on the wall
}

func (o outcome) key() job.Key       { return o.delivery.entry.Key }
func (o outcome) target() job.Target { return o.delivery.entry.Key.Target }

// A room is the news that a lane's receivers can take about n more.
type room struct {
	lane record.LaneID
	n    int
}

// newInbox returns an inbox for so many commands, of so many bytes together.
func newInbox(commands, bytes int) *inbox {
	return &inbox{
		wake: make(chan struct{}, 1), slots: semaphore.NewWeighted(int64(commands)), count: int64(commands), slot: max(1, bytes/commands), ended: make(chan struct{}), holdings: map[int]holding{},
		commands: fair.NewQueue[job.Target, *command](share), outcomes: fair.NewQueue[job.Target, outcome](share),
	}
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
	c.done, c.gone = make(chan error, 1), ctx.Done()
	if err := i.slots.Acquire(ctx, i.slotsOf(c)); err != nil {
		return err
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

func (i *inbox) settle(o outcome) { i.add(func() { i.outcomes.Push(o.target(), o) }) }

// maxLooks is how many looks may wait for a turn. More than that are asked for while a loop is stuck alone, because whoever
// asks does not wait for long, and asks again.
const maxLooks = 16

// look has f called in the next turn with the loop, which it must not change; or never, if too many looks wait.
func (i *inbox) look(f func(lp *loop, now time.Time)) {
	i.add(func() {
		if len(i.looks) < maxLooks {
			i.looks = append(i.looks, f)
		}
	})
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
	i.slots.Release(i.slotsOf(c))
}

// slotsOf returns how many slots c takes.
func (i *inbox) slotsOf(c *command) int64 { return min(i.count, 1+int64(c.bytes/i.slot)) }

// waiting returns how many outcomes and commands wait for a turn.
func (i *inbox) waiting() (outcomes, commands int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.deferred) + i.outcomes.Len(), i.commands.Len()
}

// busy reports whether something is waiting.
func (i *inbox) busy() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.commands.Len()+i.outcomes.Len()+len(i.deferred)+len(i.rooms)+len(i.looks)+len(i.moves) > 0
}
