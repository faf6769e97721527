package engine

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"carillon/internal/engine/machine"
	"carillon/internal/job"
)

// A caller waits at least until the next turn, so turns are short: a few milliseconds. Longer ones
// would save little, because a commit of hundreds costs hardly more for each than one of thousands.
const (
	maxFires         = 128
	maxFiresInCommit = 64
)

// turnLimits is the most that one turn takes.
type turnLimits struct {
	work          int // commands and outcomes
	bytes         int // of the commands
	fires         int // triggers before the commit
	firesInCommit int // triggers at a time while the commit is in progress
}

// turnLimits returns the limits within which the store can carry the commit of a turn.
func (lp *loop) turnLimits() turnLimits {
	writes, bytes := lp.store.MaxBatch()
	bytes /= 2
	if lp.maxWorkBytes > 0 {
		bytes = min(bytes, lp.maxWorkBytes)
	}
	return turnLimits{
		work: max(1, min(lp.maxWork, writes/writesPerJob)), bytes: bytes,
		fires: min(maxFires, lp.maxWork), firesInCommit: min(maxFiresInCommit, max(1, lp.maxWork/2)),
	}
}

// turn is one round of a loop. It takes work from the inbox and what is due, reads the records,
// decides, sends triggers, and commits. Only then it replies to callers. It fires more triggers
// while the commit is in progress. After an error the state of the machine is not valid any more.
func (lp *loop) turn(ctx context.Context, now time.Time, limit turnLimits) error {
	begin := time.Now()
	m, w := lp.machine, lp.takeWork(limit)
	if w.turnsWaited > 0 {
		lp.metrics.turnsWaited.Observe(float64(w.turnsWaited))
	}
	if lp.degraded.backlogFull {
		limit.fires, limit.firesInCommit = 0, 0
	}
	lp.changeOwnerships(w.changes)
	for _, c := range w.capacities {
		m.Unpark(now, c.lane, c.n)
	}
	picked, due, err := lp.readDue(ctx, m.Pick(now, limit.fires))
	var existing []machine.Stored
	if err == nil {
		existing, err = lp.readForCommands(ctx, w.commands)
	}
	if err == nil {
		err = lp.refill(ctx, m.TakeRefills())
	}
	if err != nil {
		for _, o := range w.outcomes { // their deliveries have ended, and do not report it again
			if m.Forget(o.delivery) {
				lp.countRedelivery(o.delivery)
			}
		}
		return lp.failCommands(w, fmt.Errorf("read for partitions %s: %w", lp, err))
	}

	fired := lp.fire(ctx, picked, due)
	for i, o := range w.outcomes {
		yieldCPU(i)
		m.Settle(o.delivery, o.outcome, o.at)
	}
	replies := make([]error, len(w.commands))
	for i, c := range w.commands {
		yieldCPU(i)
		replies[i] = c.decide(m, existing[i])
	}

	// Triggers need not wait for the commit: earlier commits made them due, and sendAll leaves out
	// jobs that this turn has removed.
	if err := lp.sendAll(ctx, fired); err != nil {
		lp.countUnrecorded()
		return lp.failCommands(w, err)
	}
	if err := lp.commitTurn(ctx, w, replies, limit); err != nil {
		return err
	}
	lp.releasePartitions()
	lp.withdrawWaiters()
	lp.updateOverload(ctx, begin, &w)
	for _, inspect := range w.inspections {
		inspect(lp, now)
	}
	return nil
}

// countUnrecorded counts redeliveries: the outcomes of the turn are lost.
func (lp *loop) countUnrecorded() {
	for _, d := range lp.machine.Ended() {
		lp.countRedelivery(d)
	}
}

// countRedelivery counts that the attempt of d is made again, because its outcome is not known. A
// replaced delivery was counted when it was replaced, if at all.
func (lp *loop) countRedelivery(d *machine.Delivery) {
	if !d.Replaced {
		lp.metrics.redelivered.Inc()
	}
}

// failCommands replies to the callers of a turn that it is unknown what was stored. It returns err.
func (lp *loop) failCommands(w work, err error) error {
	for _, c := range w.commands {
		lp.inbox.reply(c, fmt.Errorf("%w: %w", job.ErrUnavailable, err))
	}
	return err
}

// updateOverload logs when the loop becomes overloaded, and when that ends.
func (lp *loop) updateOverload(ctx context.Context, begin time.Time, w *work) {
	if !lp.overload.observe(begin, time.Now(), w.hasMore) {
		return
	}
	if !lp.overload.overloaded {
		lp.log.LogAttrs(ctx, slog.LevelInfo, "the node is below its capacity again")
		return
	}
	outcomes, commands := lp.inbox.waiting()
	lp.log.LogAttrs(ctx, slog.LevelWarn, "the node is at its capacity: triggers that are due wait for their turn",
		slog.Int("in_flight", lp.machine.InFlight()), slog.Int("waiting_outcomes", outcomes), slog.Int("waiting_commands", commands))
}

// yieldEvery is after how many commands or outcomes a loop lets other goroutines run.
const yieldEvery = 64

// yieldCPU lets other goroutines run after each yieldEvery calls with a growing i. Go preempts a
// goroutine only after ten milliseconds, and the triggers of a quiet app have to be sent meanwhile.
func yieldCPU(i int) {
	if i%yieldEvery == yieldEvery-1 {
		runtime.Gosched()
	}
}
