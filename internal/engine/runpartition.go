package engine

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"carillon/internal/pause"
)

// handOver is how long the release of a partition waits for deliveries in flight. The next owner
// repeats a delivery that takes longer.
const handOver = time.Second

// RunPartition owns a partition of a shared store until ctx ends: it claims and loads the
// partition, fires its jobs, and carries out calls about them. It logs errors and retries.
//
// When RunPartition returns, nothing of the partition is in progress any more, except deliveries
// that took longer than a second to end. Calls about it get [ErrNotOwner] from then on. While
// RunPartition runs and the partition is not loaded, calls wait.
//
// It runs while Run runs, once at a time for each partition.
func (e *Engine) RunPartition(ctx context.Context, partition int, c Claim) {
	lp := e.loopOf[partition]
	defer lp.inbox.setReleased(partition) // even if it was never claimed: calls about it wait
	select {
	case <-e.storeChecked:
		lp.runPartition(ctx, partition, c)
	case <-ctx.Done():
	}
}

// IsOwner reports whether the engine owns the partition and has loaded it: its jobs can be
// scheduled and fire.
func (e *Engine) IsOwner(partition int) bool { return e.loopOf[partition].inbox.isOwned(partition) }

func (lp *loop) runPartition(ctx context.Context, partition int, c Claim) {
	lp.inbox.setLoading(partition)
	for wait := minBackoff; ctx.Err() == nil; {
		select {
		case <-lp.inbox.ended:
			<-ctx.Done()
			return
		default:
		}
		err := lp.ownOnce(ctx, partition, c)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			wait = minBackoff
			continue
		}
		lp.log.LogAttrs(ctx, slog.LevelWarn, "a partition cannot be had; trying again",
			slog.Int("partition", partition), slog.Any("err", err), slog.Duration("after", wait))
		pause.For(ctx, wait)
		wait = min(2*wait, maxBackoff)
	}
}

// ownOnce owns a partition until ctx ends, or until the loop loses it.
func (lp *loop) ownOnce(ctx context.Context, partition int, c Claim) error {
	fence, err := c.Fence(ctx)
	if err != nil {
		return err
	}
	// Nothing writes the partition now, not even this loop, so it can be read while the loop has
	// turns.
	heads, err := lp.readLaneHeads(ctx, partition)
	if err != nil {
		return fmt.Errorf("load partition %d: %w", partition, err)
	}
	o := &ownership{partition: partition, fence: fence, claim: c, heads: heads, released: make(chan struct{})}
	lp.inbox.beginOwnership(o)
	select {
	case <-o.released:
	case <-ctx.Done():
		lp.inbox.endOwnership(o)
		<-o.released
	}
	return nil
}

// changeOwnerships begins and ends ownerships.
func (lp *loop) changeOwnerships(changes []ownershipChange) {
	for _, c := range changes {
		o := c.ownership
		if !c.release {
			lp.ownerships[o.partition] = o
			lp.machine.AddPartition(o.partition, o.fence)
			for _, h := range o.heads {
				lp.machine.Load(h.entries, h.more)
			}
			o.heads = nil
			lp.loadedAny = true
			lp.inbox.setOwned(o.partition)
		} else if lp.ownerships[o.partition] == o {
			lp.machine.StopPartition(o.partition)
			o.releaseAt = lp.elapsed() + handOver
		}
	}
}

// releasePartitions releases the partitions that are to be released, once no delivery is in flight
// or the time for that is over.
func (lp *loop) releasePartitions() {
	var inFlight map[int]int
	if lp.isReleasing() {
		inFlight = lp.machine.DeliveriesByPartition()
	}
	now := lp.elapsed()
	for p, o := range lp.ownerships {
		if o.releaseAt == 0 || inFlight[p] > 0 && now < o.releaseAt {
			continue
		}
		lp.metrics.redelivered.Add(float64(inFlight[p]))
		lp.machine.RemovePartition(p)
		delete(lp.ownerships, p)
		close(o.released)
	}
}

// isReleasing reports whether a partition is to be released.
func (lp *loop) isReleasing() bool {
	for _, o := range lp.ownerships {
		if o.releaseAt != 0 {
			return true
		}
	}
	return false
}

// loseOwnerships ends all ownerships, because the machine is not valid any more.
func (lp *loop) loseOwnerships() {
	lp.metrics.redelivered.Add(float64(lp.machine.Reset()))
	lp.withdrawWaiters()
	lp.requeueKept() // their deliveries have ended, and the machine ignores their outcomes
	for p, o := range lp.ownerships {
		lp.inbox.setLost(p)
		delete(lp.ownerships, p)
		close(o.released)
	}
}
