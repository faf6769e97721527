package engine

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"carillon/internal/engine/machine"
)

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
				lp.metrics.countRedelivery(o.delivery)
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
		inspect(now)
	}
	return nil
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
