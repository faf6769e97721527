package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/internal/job"
	"carillon/internal/store"
)

// A commit is under way: what it writes can be seen in the store, but may not survive a power cut yet.
type commit struct {
	keys  map[job.Key]struct{}
	ended chan struct{} // closed when it has ended, and callers were told
	err   error         // how it ended
}

// failed reports whether c has ended with an error.
func (c *commit) failed() bool {
	select {
	case <-c.ended:
		return c.err != nil
	default:
		return false
	}
}

// apply commits what the machine has decided and tells the callers of w. While it lasts, settled makes readers of these
// keys wait, and what falls due is fired; commands and outcomes gather for the next turn.
func (lp *loop) apply(ctx context.Context, w work, replies []error, limit limits) error {
	b := lp.machine.batch
	if len(b.Writes) == 0 {
		lp.decided(ctx)
		lp.reply(ctx, w, replies)
		return nil
	}
	lp.machine.batch, lp.spare = lp.spare, store.Batch{}
	c := &commit{keys: w.keys, ended: make(chan struct{})}
	lp.commit.Store(c)
	go func() {
		defer close(c.ended)
		defer lp.commit.Store(nil)
		begin := time.Now()
		if c.err = lp.store.Commit(ctx, &b); c.err == nil {
			lp.reply(ctx, w, replies)
		}
		lp.metrics.commit.Observe(time.Since(begin).Seconds())
		lp.metrics.group.Observe(float64(len(w.commands) + len(w.outcomes)))
	}()
	err := lp.fireUntil(ctx, c, limit.again)
	if errors.Is(c.err, job.ErrFull) && err == nil {
		return lp.rewind(ctx, w, c.err)
	}
	if c.err != nil {
		lp.unrecorded()
		return lp.fail(w, fmt.Errorf("commit for partitions %s: %w", lp, c.err))
	}
	lp.decided(ctx)
	lp.committed(ctx, &b)
	b.Reset()
	lp.spare = b
	return err
}

// decided makes that what was decided in this turn stays so.
func (lp *loop) decided(ctx context.Context) {
	for _, d := range lp.machine.ended {
		if d.outcome == job.Lost {
			lp.again(d)
		}
	}
	lp.tellEnded(ctx, lp.machine.ended)
	lp.machine.decided()
}

// reply tells callers of what is committed.
func (lp *loop) reply(ctx context.Context, w work, replies []error) {
	debugging := lp.debugging(ctx)
	for i, c := range w.commands {
		if debugging && replies[i] == nil {
			lp.tellDone(ctx, c)
		}
		lp.inbox.reply(c, replies[i])
	}
}

// fireUntil fires what falls due until c has ended, up to most triggers at a time, but nothing that c is about: what is
// owed of that is not known before. Windows are not refilled meanwhile, since the index is changing.
func (lp *loop) fireUntil(ctx context.Context, c *commit, most int) (err error) {
	var concerned []attempt
	for err == nil && most > 0 && lp.dueBefore(c) {
		var free []attempt
		for _, e := range lp.machine.pick(lp.wall(), most) {
			if _, ok := c.keys[e.Key]; ok {
				concerned = append(concerned, e)
			} else {
				free = append(free, e)
			}
		}
		var records []stored
		if free, records, err = lp.readDue(ctx, free); err != nil {
			break
		}
		if c.failed() { // what left now would not be believed
			concerned = append(concerned, free...)
			break
		}
		err = lp.releaseAll(ctx, lp.fire(ctx, free, records))
	}
	<-c.ended
	for _, e := range concerned {
		lp.machine.unpick(e)
		lp.machine.unpay(e)
		lp.machine.insert(e)
	}
	return err
}

// dueBefore waits until something falls due that is in a window, or for maxSleep, and reports whether that was before c
// ended.
func (lp *loop) dueBefore(c *commit) bool {
	at, ok := lp.machine.nextDue()
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

// settled waits until what has been read of k from the store, or of any job if k is nil, would survive a power cut. It
// reports whether it would; otherwise it is to be read again.
func (lp *loop) settled(ctx context.Context, k *job.Key) (bool, error) {
	c := lp.commit.Load()
	if c == nil {
		return true, nil
	}
	if k != nil {
		if _, concerned := c.keys[*k]; !concerned {
			return true, nil
		}
	}
	select {
	case <-c.ended:
		return c.err == nil, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
