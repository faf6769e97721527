package etcdmember

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	maxOffers = 256                    // wait at most
	gatherMax = 10 * time.Millisecond  // how long those are waited for who came lately
	tooLong   = 100 * time.Millisecond // a transaction that takes so long is not waited for by the next
	recently  = 3                      // transactions: who was in one of them is waited for
	lasts     = 5 * time.Second        // how long a transaction is tried
)

// A collector has the transactions of several nodes applied as one, whose parts compare for themselves: what etcd agrees
// on is synced to the disk of every member, and that costs the same whatever is in it. While one transaction is under way
// the next ones gather. When it has ended, those who were in one of the last few are waited for, if that takes much less
// time than a transaction; nobody waits who is alone.
type collector struct {
	ops, bytes int           // of one transaction, at most
	wake       chan struct{} // holds one token when offers may have come

	mu     sync.Mutex // guards the fields below
	offers []*offer   // in their order
	open   bool       // it runs
}

// An offer is a transaction that somebody wants applied.
type offer struct {
	gone func() error // of the context of who offers: nil while somebody waits
	from string       // the node, "" is this one
	txn  *etcdserverpb.TxnRequest
	done chan outcome // holds one
}

type outcome struct {
	answer *etcdserverpb.TxnResponse
	err    error
}

func newCollector(ops, bytes int) *collector {
	return &collector{ops: ops, bytes: bytes, wake: make(chan struct{}, 1)}
}

// errNotBegun is how a transaction ends that was not proposed to anybody.
var errNotBegun = status.Error(codes.FailedPrecondition, "the transaction was not begun here")

// apply has txn applied, together with others'. When ctx ends first, it may be applied all the same.
func (c *collector) apply(ctx context.Context, from string, txn *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	o := &offer{gone: ctx.Err, from: from, txn: txn, done: make(chan outcome, 1)}
	c.mu.Lock()
	free := c.open && len(c.offers) < maxOffers
	if free {
		c.offers = append(c.offers, o)
	}
	c.mu.Unlock()
	if !free {
		return nil, errNotBegun
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	select {
	case r := <-o.done:
		return r.answer, r.err
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// run has what is offered applied by s until ctx ends. What waits then is not begun.
func (c *collector) run(ctx context.Context, s etcdserverpb.KVServer) {
	c.setOpen(true)
	defer c.setOpen(false)
	var last [recently][]string // who was in the last transactions
	var took time.Duration      // by the latest that has ended
	for n := 0; ; {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		for c.gather(ctx, slices.Concat(last[:]...), min(took/2, gatherMax)) {
			all := c.take()
			if len(all) == 0 {
				last = [recently][]string{} // they have left off
				break
			}
			last[n%recently] = nil
			for _, o := range all {
				last[n%recently] = append(last[n%recently], o.from)
			}
			n++
			begin := time.Now()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), lasts)
				defer cancel()
				commit(bounded, s, all)
			}()
			timer := time.NewTimer(tooLong)
			select {
			case <-ended:
			case <-timer.C: // perhaps there is another leader; what is offered here then is refused or answered
			case <-ctx.Done():
				timer.Stop()
				return
			}
			timer.Stop()
			took = time.Since(begin)
		}
	}
}

func (c *collector) setOpen(open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = open
	for _, o := range c.offers {
		o.done <- outcome{nil, errNotBegun}
	}
	c.offers = nil
}

// gather waits for offers of all of those, but no longer than d. It reports whether ctx lasted.
func (c *collector) gather(ctx context.Context, from []string, d time.Duration) bool {
	slices.Sort(from)
	from = slices.Compact(from)
	if len(from) < 2 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	for !c.has(from) {
		select {
		case <-c.wake:
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// has reports whether each of those has offered something.
func (c *collector) has(from []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range from {
		if !slices.ContainsFunc(c.offers, func(o *offer) bool { return o.from == f }) {
			return false
		}
	}
	return true
}

// take removes as many offers as one transaction may carry, the first in any case.
func (c *collector) take() (all []*offer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ops, bytes, n := c.ops, c.bytes, 0
	for ; n < len(c.offers); n++ {
		o := c.offers[n]
		if o.gone() != nil {
			continue
		}
		ops -= 1 + max(len(o.txn.GetSuccess()), len(o.txn.GetCompare()))
		bytes -= o.txn.Size() + perOffer
		if len(all) > 0 && (ops < 0 || bytes < 0) {
			break
		}
		all = append(all, o)
	}
	c.offers = slices.Delete(c.offers, 0, n)
	return all
}

// perOffer is what etcd's encoding adds to a transaction within another, at most.
const perOffer = 64

// commit has s apply all offers in one transaction, and tells them.
func commit(ctx context.Context, s etcdserverpb.KVServer, all []*offer) {
	if len(all) > 1 {
		r := new(etcdserverpb.TxnRequest)
		for _, o := range all {
			part := &etcdserverpb.RequestOp_RequestTxn{RequestTxn: o.txn}
			r.Success = append(r.Success, &etcdserverpb.RequestOp{Request: part})
		}
		answer, err := s.Txn(ctx, r)
		if !apart(err) {
			for i, o := range all {
				o.done <- part(answer, err, i)
			}
			return
		}
	}
	for _, o := range all {
		answer, err := s.Txn(ctx, o.txn)
		if dropped(err) {
			err = errNotBegun
		}
		o.done <- outcome{answer, err}
	}
}

// apart reports whether an error of a transaction may be about some of its parts: then each is worth a try for itself, by
// which what was applied all the same is applied again, before anything that follows it.
func apart(err error) bool {
	for _, e := range []error{
		rpctypes.ErrGRPCNoSpace, rpctypes.ErrGRPCDuplicateKey, rpctypes.ErrGRPCTooManyOps, rpctypes.ErrGRPCRequestTooLarge,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// dropped reports whether an error says that there is no leader to propose anything to, because another is about to lead.
func dropped(err error) bool {
	return err != nil && status.Convert(err).Message() == "raft proposal dropped"
}

// part returns how the part with that index of a transaction has ended.
func part(answer *etcdserverpb.TxnResponse, err error, index int) outcome {
	if dropped(err) {
		err = errNotBegun
	}
	if err != nil {
		return outcome{nil, err}
	}
	own := answer.GetResponses()[index].GetResponseTxn()
	own.Header = answer.GetHeader()
	return outcome{own, nil}
}
