package engine

import (
	"context"

	"carillon/internal/job"
)

// ScheduleAll carries out each of all as Schedule or Delete does, and returns their errors in the
// order of all. Of requests with the same key the first is carried out first. If ctx ends first, the
// errors say so of jobs that may be stored or not. The caller must not change all afterwards: after
// ctx has ended, requests may still be carried out.
//
// It costs less than as many calls, because no goroutine waits for each job and a loop is woken
// once.
func (e *Engine) ScheduleAll(ctx context.Context, all []job.Request) []error {
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
	return g.wait(ctx)
}
