package forward

import (
	"context"
	"errors"
	"slices"

	"carillon/internal/engine"
	"carillon/internal/job"
)

// sentCommands are the commands of one call that were sent, by the node that owns their jobs.
type sentCommands struct {
	parts  []part
	unsent []int // commands without an owner, or whose owner is unknown
}

// A part is the commands that were sent to one node.
type part struct {
	indices []int
	results func(ctx context.Context) []error
}

// wait waits until the commands are carried out or refused, and sets their errors. It returns the
// indices of those that have not begun, in order.
func (f sentCommands) wait(ctx context.Context, errs []error) (retry []int) {
	begun := map[int]bool{}
	all := f.unsent
	for _, i := range f.unsent {
		errs[i] = engine.ErrNotOwner
	}
	for _, p := range f.parts {
		for n, err := range p.results(ctx) {
			i := p.indices[n]
			errs[i] = err
			begun[i] = !errors.Is(err, engine.ErrNotOwner)
		}
		all = append(all, p.indices...)
	}
	slices.Sort(all)
	for _, i := range all {
		if !begun[i] {
			retry = append(retry, i)
		}
	}
	return retry
}

// send sends the commands of all with these indices to their owners, in order. It sets the errors of
// those that cannot be sent. changed is closed when the owners change.
func (r *Router) send(
	ctx context.Context, all []job.Request, indices []int, errs []error,
) (sent sentCommands, changed <-chan struct{}) {
	r.mu.Lock()
	owners, peers, oldest, changed := r.owners, r.peers, r.oldest, r.changed
	type share struct {
		peer    *peer // nil: this node
		indices []int
	}
	var shares []share
	of := map[string]int{} // in shares
	for _, i := range indices {
		if len(owners) == 0 {
			sent.unsent = append(sent.unsent, i)
			continue
		}
		if errs[i] = checkReadable(oldest, &all[i]); errs[i] != nil {
			continue
		}
		owner := owners[r.engine.Partition(all[i].Key)]
		p := peers[owner]
		if p == nil && owner != r.config.ID {
			sent.unsent = append(sent.unsent, i)
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
	r.mu.Unlock()
	for _, s := range shares {
		requests := make([]job.Request, len(s.indices))
		for n, i := range s.indices {
			requests[n] = all[i]
		}
		var results func(context.Context) []error
		if s.peer == nil {
			results = r.engine.ScheduleAll(ctx, requests)
		} else {
			results = s.peer.post(requests)
		}
		sent.parts = append(sent.parts, part{s.indices, results})
	}
	return sent, changed
}
