package engine

import (
	"context"
	"sync/atomic"

	"carillon/internal/job"
)

// ScheduleAll carries out each of all as Schedule or Delete does. It returns when each is in the inbox of
// its loop: of requests with the same key the first is carried out first, and all before later calls.
// results waits until all are carried out, and returns their errors in the order of all. If the ctx of
// either ends first, the errors say so of jobs that may be stored or not. The caller must not change all.
//
// It costs less than as many calls, because no goroutine waits for each job and a loop is woken once.
func (e *Engine) ScheduleAll(ctx context.Context, all []job.Request) (results func(ctx context.Context) []error) {
	g := newGroup(len(all))
	commands := make([]command, len(all))
	posts := make(map[*loop][]*command, len(e.loops))
	for i := range all {
		c := &commands[i]
		if err := e.newCommand(c, &all[i]); err != nil {
			g.finish(i, err)
			continue
		}
		c.group, c.index = g, i
		lp := e.loopOf[c.partition]
		posts[lp] = append(posts[lp], c)
	}
	for lp, commands := range posts {
		lp.inbox.postAll(ctx, commands)
	}
	return g.wait
}

// A group is the commands that one caller waits for. The goroutine that carries out a command writes its
// result.
type group struct {
	errs    []error       // of each command that is finished
	pending atomic.Int64  // commands that are not finished
	done    chan struct{} // closed when none is pending
}

func newGroup(n int) *group {
	g := &group{errs: make([]error, n), done: make(chan struct{})}
	g.pending.Store(int64(n))
	if n == 0 {
		close(g.done)
	}
	return g
}

// finish sets the result of the command with that index. It is called once for each.
func (g *group) finish(index int, err error) {
	g.errs[index] = err
	if g.pending.Add(-1) == 0 {
		close(g.done)
	}
}

// wait returns the error of each command; if ctx ends first, that is the error of all.
func (g *group) wait(ctx context.Context) []error {
	select {
	case <-g.done:
		return g.errs
	case <-ctx.Done():
		errs := make([]error, len(g.errs))
		for i := range errs {
			errs[i] = ctx.Err()
		}
		return errs
	}
}

// postAll has the commands of a group carried out, in their order, as many at once as the inbox has slots
// for. Those that get no slot before ctx ends are finished with its error.
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

// acquireSlots acquires the slots of the first n of all. It waits for those of the first one only, and
// returns 0 if ctx ends first.
func (i *inbox) acquireSlots(ctx context.Context, all []*command) (n int) {
	if i.slots.Acquire(ctx, i.slotsOf(all[0])) != nil {
		return 0
	}
	for n = 1; n < len(all) && i.slots.TryAcquire(i.slotsOf(all[n])); n++ {
	}
	return n
}
