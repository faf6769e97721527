package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/record"
	"carillon/internal/fair"
	"carillon/internal/job"
)

// An inbox holds what waits for a loop's turns. Any goroutine may add to it; only the loop takes.
//
// Callers of commands wait while the inbox has no slot. Nothing else is refused, and each is
// bounded:
//
//   - outcomes by the triggers in flight;
//   - receiver capacities by the lanes that were parked since the last turn;
//   - inspections, which read metrics, by maxInspections: more are dropped;
//   - ownership changes by RunPartition, one for each partition at a time.
//
// Commands and outcomes wait by target. A turn takes them fairly, so a target with many does not
// delay another. Neither kind can fill a turn while the other waits.
type inbox struct {
	wake      chan struct{}       // holds one token while there may be something to take
	slots     *semaphore.Weighted // of commands that wait or are carried out; a large one takes several
	slotCount int64
	slotBytes int           // how many bytes of a command take one slot
	ended     chan struct{} // closed when the loop has ended

	mu          sync.Mutex // guards the fields below
	partitions  map[int]partitionStatus
	commands    *fair.Queue[job.Target, *command] // about partitions that are owned
	unowned     []*command                        // about other partitions, in their order
	outcomes    *fair.Queue[job.Target, endedDelivery]
	deferred    []endedDelivery // to be taken first: a command of the last turn was about their job
	capacities  []receiverCapacity
	inspections []func(now time.Time)
	changes     []ownershipChange
	turns       int  // that were taken
	closed      bool // commands are refused
}

// turnQuantum is how many commands or outcomes a turn takes of one target before the next.
const turnQuantum = 16

var errStopping = fmt.Errorf("the scheduler is stopping: %w", job.ErrUnavailable)

// newInbox returns an inbox for so many commands, of so many bytes together.
func newInbox(commands, bytes int) *inbox {
	return &inbox{
		wake: make(chan struct{}, 1), ended: make(chan struct{}), partitions: map[int]partitionStatus{},
		slots: semaphore.NewWeighted(int64(commands)), slotCount: int64(commands), slotBytes: max(1, bytes/commands),
		commands: fair.NewQueue[job.Target, *command](turnQuantum), outcomes: fair.NewQueue[job.Target, endedDelivery](turnQuantum),
	}
}

// close refuses all commands that wait, and all later ones.
func (i *inbox) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	close(i.ended)
	for _, c := range append(i.unowned, i.commands.Drain()...) {
		i.reply(c, errStopping)
	}
	i.unowned = nil
	for _, c := range i.changes {
		if !c.release {
			close(c.ownership.released)
		}
	}
	i.changes = nil
}

// An endedDelivery is a delivery that has ended, and its outcome.
type endedDelivery struct {
	delivery *machine.Delivery // only its Attempt may be read outside of the loop
	outcome  job.Outcome
	at       time.Time // when it ended, by the wall clock
}

func (o endedDelivery) key() job.Key       { return o.delivery.Attempt.Key }
func (o endedDelivery) target() job.Target { return o.delivery.Attempt.Key.Target }

// A receiverCapacity says that the receivers of a lane can take about n more triggers.
type receiverCapacity struct {
	lane record.LaneID
	n    int
}

// do posts c, waits for the result and returns it. If ctx ends first, c may still be carried out.
func (i *inbox) do(ctx context.Context, c *command) error {
	if err := i.post(ctx, c); err != nil {
		return err
	}
	return c.wait(ctx)
}

// post waits for slots and adds c to the inbox. If it returns an error, c is not carried out.
func (i *inbox) post(ctx context.Context, c *command) error {
	c.done, c.canceled = make(chan error, 1), ctx.Done()
	if err := i.slots.Acquire(ctx, i.slotsOf(c)); err != nil {
		return err
	}
	i.update(func() { i.enqueue(c) })
	return nil
}

// postAll adds the commands of a group to the inbox in their order, as soon as it has slots for
// them. Commands that get no slot before ctx ends are finished with the error of ctx.
func (i *inbox) postAll(ctx context.Context, all []*command) {
	for len(all) > 0 {
		n := i.acquireSlots(ctx, all)
		if n == 0 {
			break
		}
		now := all[:n]
		all = all[n:]
		i.update(func() {
			for _, c := range now {
				i.enqueue(c)
			}
		})
	}
	for _, c := range all {
		c.group.finish(c.index, ctx.Err())
	}
}

// acquireSlots acquires the slots of the first n of all. It waits for those of the first one only,
// and returns 0 if ctx ends first.
func (i *inbox) acquireSlots(ctx context.Context, all []*command) (n int) {
	if i.slots.Acquire(ctx, i.slotsOf(all[0])) != nil {
		return 0
	}
	for n = 1; n < len(all) && i.slots.TryAcquire(i.slotsOf(all[n])); n++ {
	}
	return n
}

// requeueWaiting enqueues all waiting commands again. It is called with mu held.
func (i *inbox) requeueWaiting() {
	waiting := append(i.unowned, i.commands.Drain()...)
	i.unowned = nil
	for _, c := range waiting {
		i.enqueue(c)
	}
}

// enqueue puts c where it waits, or refuses it. It is called with mu held.
func (i *inbox) enqueue(c *command) {
	switch s := i.partitions[c.partition].state; {
	case i.closed:
		i.reply(c, errStopping)
	case s == partitionOwned:
		if c.postedTurn == 0 {
			c.postedTurn = i.turns
		}
		i.commands.Push(c.key.Target, c)
	case s == partitionReleased:
		i.reply(c, ErrNotOwner)
	default:
		i.unowned = append(i.unowned, c)
	}
}

// reply gives c's caller the result and releases the slots.
func (i *inbox) reply(c *command, err error) {
	if c.group != nil {
		c.group.finish(c.index, err)
	} else {
		c.done <- err
	}
	i.slots.Release(i.slotsOf(c))
}

// slotsOf returns how many slots c takes.
func (i *inbox) slotsOf(c *command) int64 { return min(i.slotCount, 1+int64(c.bytes/i.slotBytes)) }

func (i *inbox) addOutcome(o endedDelivery) { i.update(func() { i.outcomes.Push(o.target(), o) }) }

func (i *inbox) addCapacity(c receiverCapacity) {
	i.update(func() { i.capacities = append(i.capacities, c) })
}

// maxInspections is how many inspections may wait for a turn. More are asked for only while a loop
// is stuck, because their callers do not wait long and ask again.
const maxInspections = 16

// inspect has f called by the loop, at the end of its next turn. f must not change the loop. It is
// not called if too many inspections wait.
func (i *inbox) inspect(f func(now time.Time)) {
	i.update(func() {
		if len(i.inspections) < maxInspections {
			i.inspections = append(i.inspections, f)
		}
	})
}

// update changes the inbox under its lock and wakes the loop.
func (i *inbox) update(change func()) {
	i.mu.Lock()
	change()
	i.mu.Unlock()
	i.wakeLoop()
}

// wakeLoop wakes the loop for a turn.
func (i *inbox) wakeLoop() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// waiting returns how many outcomes and commands wait for a turn.
func (i *inbox) waiting() (outcomes, commands int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.deferred) + i.outcomes.Len(), i.commands.Len()
}

// busy reports whether something waits for a turn.
func (i *inbox) busy() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.commands.Len()+i.outcomes.Len()+len(i.deferred)+len(i.capacities)+len(i.inspections)+len(i.changes) > 0
}
