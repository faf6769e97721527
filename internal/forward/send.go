package forward

import (
	"context"
	"errors"
	"slices"
	"sync"

	"carillon/internal/engine"
	"carillon/internal/job"
)

// nodeCommands are the commands of one call whose jobs one node owns.
type nodeCommands struct {
	peer    *peer // nil: this node
	indices []int // of the commands in the call
}

// send carries out the commands of all with these indices on the nodes that own their jobs, in
// order, and sets their errors. It returns the indices of those that have not begun, in order;
// changed is closed when the owners change.
func (r *Router) send(
	ctx context.Context, all []job.Request, indices []int, errs []error,
) (retry []int, changed <-chan struct{}) {
	byNode, unsent, changed := r.split(all, indices, errs)
	schedule := func(c nodeCommands) {
		for n, err := range r.scheduleOn(ctx, c, all) {
			errs[c.indices[n]] = err
		}
	}
	if len(byNode) == 1 {
		schedule(byNode[0])
	} else {
		var sending sync.WaitGroup
		for _, c := range byNode {
			sending.Go(func() { schedule(c) })
		}
		sending.Wait()
	}
	retry = unsent
	for _, c := range byNode {
		for _, i := range c.indices {
			if errors.Is(errs[i], engine.ErrNotOwner) {
				retry = append(retry, i)
			}
		}
	}
	slices.Sort(retry)
	return retry, changed
}

// split divides the commands by owner. It sets the errors of those that cannot be sent, and returns
// as unsent those that may be sent later: they have no owner yet, or one that is unknown.
func (r *Router) split(
	all []job.Request, indices []int, errs []error,
) (byNode []nodeCommands, unsent []int, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := map[string]int{} // by owner, in byNode
	for _, i := range indices {
		if len(r.owners) == 0 {
			errs[i], unsent = engine.ErrNotOwner, append(unsent, i)
			continue
		}
		if errs[i] = checkReadable(r.oldest, &all[i]); errs[i] != nil {
			continue
		}
		owner := r.owners[r.engine.Partition(all[i].Key)]
		p := r.peers[owner]
		if p == nil && owner != r.config.ID {
			errs[i], unsent = engine.ErrNotOwner, append(unsent, i)
			continue
		}
		n, ok := of[owner]
		if !ok {
			n = len(byNode)
			of[owner] = n
			byNode = append(byNode, nodeCommands{peer: p})
		}
		byNode[n].indices = append(byNode[n].indices, i)
	}
	return byNode, unsent, r.changed
}

// scheduleOn carries out the commands of one node, and returns their errors.
func (r *Router) scheduleOn(ctx context.Context, c nodeCommands, all []job.Request) []error {
	requests := make([]job.Request, len(c.indices))
	for n, i := range c.indices {
		requests[n] = all[i]
	}
	if c.peer == nil {
		return r.engine.ScheduleAll(ctx, requests)
	}
	return c.peer.schedule(ctx, requests)
}
