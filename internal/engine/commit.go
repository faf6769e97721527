package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/internal/engine/machine"
	"carillon/internal/job"
	"carillon/internal/store"
)

// commitTurn commits what the machine has decided in a turn and replies to callers. Meanwhile it
// fires what falls due, and the inbox collects work for the next turn.
func (lp *loop) commitTurn(ctx context.Context, w work, replies []error, limit turnLimits) error {
	b := lp.machine.Batch
	if len(b.Writes) == 0 {
		lp.checkpoint(ctx)
		lp.reply(ctx, w, replies)
		return nil
	}
	lp.machine.Batch, lp.spareBatch = lp.spareBatch, store.Batch{}
	c := &pendingCommit{keys: w.keys, ended: make(chan struct{})}
	lp.commit.Store(c)
	go func() {
		defer close(c.ended)
		defer lp.commit.Store(nil)
		begin := time.Now()
		if c.err = lp.store.Commit(ctx, &b); c.err == nil {
			lp.reply(ctx, w, replies)
		}
		took := time.Since(begin)
		lp.metrics.commit.Observe(took.Seconds())
		lp.metrics.lastCommits.observe(took)
		lp.metrics.commitJobs.Observe(float64(len(w.commands) + len(w.outcomes)))
	}()
	err := lp.fireDuring(ctx, c, limit.firesInCommit)
	if errors.Is(c.err, job.ErrFull) && err == nil {
		return lp.rollback(ctx, w, c.err)
	}
	if c.err != nil {
		lp.countUnrecorded()
		return lp.failCommands(w, fmt.Errorf("commit for partitions %s: %w", lp, c.err))
	}
	lp.checkpoint(ctx)
	lp.noteCommitted(ctx, &b)
	b.Reset()
	lp.spareBatch = b
	return err
}

// fireDuring fires what falls due until c has ended, up to limit triggers at a time. It fires no
// job that c writes, because what is owed of it is not known before. It refills no windows: the
// index is changing.
func (lp *loop) fireDuring(ctx context.Context, c *pendingCommit, limit int) (err error) {
	var inCommit []machine.Attempt
	for err == nil && limit > 0 && lp.waitDue(c) {
		var others []machine.Attempt
		for _, a := range lp.machine.Pick(lp.wall(), limit) {
			if _, ok := c.keys[a.Key]; ok {
				inCommit = append(inCommit, a)
			} else {
				others = append(others, a)
			}
		}
		var records []machine.Stored
		if others, records, err = lp.readDue(ctx, others); err != nil {
			break
		}
		if c.failed() { // outcomes of what left now would be ignored
			inCommit = append(inCommit, others...)
			break
		}
		err = lp.sendAll(ctx, lp.fire(ctx, others, records))
	}
	<-c.ended
	for _, a := range inCommit {
		lp.machine.Requeue(a)
	}
	return err
}

// waitDue waits until a job in a window falls due, at most maxSleep. It reports whether c is still
// in progress then.
func (lp *loop) waitDue(c *pendingCommit) bool {
	at, ok := lp.machine.NextDue()
	if !ok {
		return false
	}
	d := min(at.Sub(lp.wall()), maxSleep)
	timer := time.NewTimer(d)
	defer timer.Stop()
	lp.wakeIn(d)
	select {
	case <-c.ended:
		return false
	case <-timer.C:
		return true
	}
}

// checkpoint makes the decisions of this turn final.
func (lp *loop) checkpoint(ctx context.Context) {
	for _, d := range lp.machine.Ended() {
		if d.Outcome == job.Lost {
			lp.metrics.countRedelivery(d)
		}
	}
	lp.logEnded(ctx, lp.machine.Ended())
	lp.machine.Checkpoint()
}

// reply replies to the callers of commands that are committed.
func (lp *loop) reply(ctx context.Context, w work, replies []error) {
	debugging := lp.debugging(ctx)
	for i, c := range w.commands {
		if debugging && replies[i] == nil {
			lp.logCommand(ctx, c)
		}
		lp.inbox.reply(c, replies[i])
	}
}

// failCommands replies to the callers of a turn that it is unknown what was stored. It returns err.
func (lp *loop) failCommands(w work, err error) error {
	for _, c := range w.commands {
		lp.inbox.reply(c, fmt.Errorf("%w: %w", job.ErrUnavailable, err))
	}
	return err
}

// countUnrecorded counts redeliveries: the outcomes of the turn are lost.
func (lp *loop) countUnrecorded() {
	for _, d := range lp.machine.Ended() {
		lp.metrics.countRedelivery(d)
	}
}
