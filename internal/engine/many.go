package engine

import (
	"context"
	"sync/atomic"

	"carillon/internal/job"
)

// ScheduleAll schedules each of all as Schedule does, or removes it as Delete does, and returns when each has its place in
// the queue of its loop: of those with the same key the first is stored first, and before what is asked of the engine from
// then on. results waits until each has been carried out, and returns their errors in the order of all. When the ctx of
// either ends first, the errors say so of jobs that may be stored or not. The caller does not write to all any more.
//
// It costs less than as many calls: nobody waits for each job, and a loop is woken for all of them.
func (e *Engine) ScheduleAll(ctx context.Context, all []job.Request) (results func(ctx context.Context) []error) {
	g := newGroup(len(all))
	commands := make([]command, len(all))
	posts := make(map[*loop][]*command, len(e.loops))
	for i := range all {
		c := &commands[i]
		if err := e.put(c, &all[i]); err != nil {
			g.tell(i, err)
			continue
		}
		c.group, c.index = g, i
		lp := e.owner[c.partition]
		posts[lp] = append(posts[lp], c)
	}
	for lp, commands := range posts {
		lp.inbox.postAll(ctx, commands)
	}
	return g.wait
}

// A group is of commands that one caller waits for. Its fields are written by whoever carries out a command.
type group struct {
	errs []error       // of each command, when it has been told
	left atomic.Int64  // commands that have not been told
	done chan struct{} // closed when none is left
}

func newGroup(n int) *group {
	g := &group{errs: make([]error, n), done: make(chan struct{})}
	g.left.Store(int64(n))
	if n == 0 {
		close(g.done)
	}
	return g
}

// tell says how the command with that index ended. It is called once for each.
func (g *group) tell(index int, err error) {
	g.errs[index] = err
	if g.left.Add(-1) == 0 {
		close(g.done)
	}
}

// wait returns the error of each command, or the end of ctx as that of all.
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

// postAll has commands of a group carried out some time, in their order, as many at once as there is room for. Those
// for which there is none before ctx ends are told so.
func (i *inbox) postAll(ctx context.Context, all []*command) {
	for len(all) > 0 {
		n := i.claim(ctx, all)
		if n == 0 {
			break
		}
		now := all[:n]
		all = all[n:]
		i.add(func() {
			for _, c := range now {
				i.enqueue(c)
			}
		})
	}
	for _, c := range all {
		c.group.tell(c.index, ctx.Err())
	}
}

// claim takes the slots of the first n of all, and waits for those of the first one alone. It returns 0 if ctx ends first.
func (i *inbox) claim(ctx context.Context, all []*command) (n int) {
	if i.slots.Acquire(ctx, i.slotsOf(all[0])) != nil {
		return 0
	}
	for n = 1; n < len(all) && i.slots.TryAcquire(i.slotsOf(all[n])); n++ {
	}
	return n
}
