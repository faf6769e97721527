package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"carillon/internal/job"
	"carillon/internal/store"
)

// A store that returns [job.ErrFull] has applied nothing, and still takes deletions. The loop rolls
// the turn back. Until the store has capacity again, turns write only deletions: those that callers
// ask for, and those of jobs that are over. New jobs are refused. The outcome of a job that goes on
// is kept in memory; the job stays in flight, so that it is not delivered twice. The loop retries
// every few seconds.

// maxKept is how many outcomes a loop keeps. Beyond it the loop fires nothing until the store has
// capacity.
const maxKept = 4096

// The wait before a full store is tried again doubles from the first to the second.
const (
	minRetryWait = 250 * time.Millisecond
	maxRetryWait = 5 * time.Second
)

// takeWork takes work from the inbox. While the store is full, it takes only what deletions can do,
// refuses new jobs, and keeps other outcomes.
func (lp *loop) takeWork(limit turnLimits) work {
	d := &lp.degraded
	if d.deletionsOnly(lp.elapsed()) {
		w := lp.keepDeletions(lp.inbox.take(limit.work, limit.bytes))
		d.backlogFull = d.backlogFull || len(d.kept) >= maxKept
		return w
	}
	lp.requeueKept()
	w := lp.inbox.take(limit.work, limit.bytes)
	d.backlogFull = d.backlogFull && len(w.outcomes)+len(w.commands) > 0
	return w
}

// keepDeletions returns the part of w that deletions can do.
func (lp *loop) keepDeletions(w work) work {
	outcomes, commands := w.outcomes, w.commands
	w.outcomes, w.commands = nil, nil
	for _, o := range outcomes {
		if lp.machine.SettlesByDeletion(o.delivery, o.outcome) {
			w.outcomes = append(w.outcomes, o)
		} else {
			lp.degraded.kept = append(lp.degraded.kept, o)
		}
	}
	for _, c := range commands {
		if c.addsData {
			lp.inbox.reply(c, job.ErrFull)
		} else {
			w.commands = append(w.commands, c)
		}
	}
	return w
}

// requeueKept puts the outcomes that were kept back into the inbox.
func (lp *loop) requeueKept() {
	if len(lp.degraded.kept) > 0 {
		lp.inbox.requeue(work{outcomes: lp.degraded.kept})
		lp.degraded.kept = nil
	}
}

// rollback undoes a turn whose commit the store refused because it is full. Triggers that were sent
// stay in flight.
func (lp *loop) rollback(ctx context.Context, w work, refused error) error {
	d := &lp.degraded
	if d.retryWait == 0 {
		lp.log.LogAttrs(ctx, slog.LevelWarn, "the store is full: only deletions are committed", slog.Any("err", refused))
	}
	d.retryWait = min(max(2*d.retryWait, minRetryWait), maxRetryWait)
	d.retryAt = lp.elapsed() + d.retryWait
	lp.machine.Rollback()
	lp.inbox.requeue(w)
	for p, o := range lp.ownerships {
		if o.releaseAt != 0 {
			continue
		}
		heads, err := lp.readLaneHeads(ctx, p)
		if err != nil {
			return errors.Join(refused, err)
		}
		for _, h := range heads {
			lp.machine.Load(h.entries, h.more)
		}
	}
	return nil
}

// noteCommitted notes that the store has taken b. If b has more than deletions, the store has
// capacity.
func (lp *loop) noteCommitted(ctx context.Context, b *store.Batch) {
	if lp.degraded.retryWait == 0 || !slices.ContainsFunc(b.Writes, func(w store.Write) bool { return !w.Remove }) {
		return
	}
	lp.degraded.retryWait, lp.degraded.backlogFull = 0, false
	lp.log.LogAttrs(ctx, slog.LevelInfo, "the store accepts new data again")
}
