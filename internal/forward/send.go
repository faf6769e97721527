package forward

import (
	"context"
	"errors"
	"slices"
	"sync"

	"carillon/internal/engine"
	"carillon/internal/job"
)

// A share is the commands of one call whose jobs one node owns.
type share struct {
	peer    *peer // nil: this node
	indices []int // of the commands in the call
}

// send carries out the commands of all with these indices on the nodes that own their jobs, in
// order, and sets their errors. It returns the indices of those that have not begun, in order;
// changed is closed when the owners change.
func (r *Router) send(
	ctx context.Context, all []job.Request, indices []int, errs []error,
) (retry []int, changed <-chan struct{}) {
	shares, unsent, changed := r.split(all, indices, errs)
	schedule := func(s share) {
		for n, err := range r.scheduleShare(ctx, s, all) {
			errs[s.indices[n]] = err
		}
	}
	if len(shares) == 1 {
		schedule(shares[0])
	} else {
		var sending sync.WaitGroup
		for _, s := range shares {
			sending.Go(func() { schedule(s) })
		}
		sending.Wait()
	}
	retry = unsent
	for _, s := range shares {
		for _, i := range s.indices {
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
) (shares []share, unsent []int, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := map[string]int{} // in shares
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
			n = len(shares)
			of[owner] = n
			shares = append(shares, share{peer: p})
		}
		shares[n].indices = append(shares[n].indices, i)
	}
	return shares, unsent, r.changed
}

// scheduleShare carries out the commands of a share, and returns their errors.
func (r *Router) scheduleShare(ctx context.Context, s share, all []job.Request) []error {
	requests := make([]job.Request, len(s.indices))
	for n, i := range s.indices {
		requests[n] = all[i]
	}
	if s.peer == nil {
		return r.engine.ScheduleAll(ctx, requests)
	}
	return s.peer.schedule(ctx, requests)
}
