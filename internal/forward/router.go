package forward

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"carillon/internal/cluster"
	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// patience is how long a call that cannot begin is tried, if its caller does not give up before.
const patience = 10 * time.Second

// A Config says who a node is, and how it reaches the others.
type Config struct {
	// ID is the node's own among the members.
	ID string
	// Dial makes a connection to the node that is reached at that address.
	Dial func(address string) (*grpc.ClientConn, error)
}

// A Router keeps jobs on all nodes of a cluster. It is safe for concurrent use. Calls wait until Follow has said who owns
// what, and those about other nodes' jobs need Run to run.
type Router struct {
	config Config
	engine *engine.Engine
	log    *slog.Logger

	mu      sync.Mutex   // guards the fields below
	owners  []string     // the ID of each partition's; empty while the node is no member
	oldest  cluster.Node // the member that reads the fewest formats of records
	peers   map[string]*peer
	changed chan struct{} // closed, and replaced, when the owners change
	loaded  bool          // the engine has had all of the node's partitions once
	launch  func(p *peer) // has a peer run; nil before Run does
	ended   bool
	open    sync.WaitGroup // counts peers that have not ended
}

// New returns a router of the node whose engine that is.
func New(cfg Config, e *engine.Engine, log *slog.Logger) *Router {
	return &Router{
		config: cfg, engine: e, log: log.With(slog.String("component", "forward"), slog.String("node", cfg.ID)),
		peers: map[string]*peer{}, changed: make(chan struct{}),
	}
}

// Follow makes v what the router goes by. The empty view says that the node is no member of the cluster.
func (r *Router) Follow(v cluster.View) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owners = v.Owners
	r.oldest, _ = v.Oldest()
	others := map[string]cluster.Node{}
	for _, m := range v.Members {
		if m.ID != r.config.ID {
			others[m.ID] = m
		}
	}
	for id, p := range r.peers {
		if others[id] != p.node {
			p.retire()
			delete(r.peers, id)
		}
	}
	for id, n := range others {
		if r.peers[id] == nil && !r.ended {
			p := newPeer(n)
			r.peers[id] = p
			if r.launch != nil {
				r.launch(p)
			}
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// Run keeps connections to the other nodes until ctx ends, and then returns nil.
func (r *Router) Run(ctx context.Context) error {
	r.mu.Lock()
	r.launch = func(p *peer) {
		ctx, end := context.WithCancel(ctx)
		p.end = end
		r.open.Go(func() { defer end(); p.run(ctx, r.config.Dial, r.log) })
	}
	for _, p := range r.peers {
		r.launch(p)
	}
	r.mu.Unlock()
	<-ctx.Done()
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.open.Wait()
	return nil
}

// Health returns nil if the node is a member of the cluster, and has had all partitions that it was given when it joined.
func (r *Router) Health() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.owners) == 0 {
		return errors.New("the node is not a member of the cluster: it joins when the majority of etcd's members answers")
	}
	missing := 0
	for p, owner := range r.owners {
		if owner == r.config.ID && !r.engine.IsOwner(p) {
			missing++
		}
	}
	if missing > 0 && !r.loaded {
		return fmt.Errorf("%d of the node's partitions are not loaded yet", missing)
	}
	r.loaded = true // from now on the engine says what it misses for long
	return nil
}

// Schedule stores s as the job k, as [engine.Engine.Schedule] does.
func (r *Router) Schedule(ctx context.Context, k job.Key, s job.Spec, overwrite bool) error {
	return r.one(ctx, job.Request{Key: k, Spec: s, Overwrite: overwrite})
}

// Delete removes the job k, as [engine.Engine.Delete] does.
func (r *Router) Delete(ctx context.Context, k job.Key) error {
	return r.one(ctx, job.Request{Key: k, Remove: true})
}

func (r *Router) one(ctx context.Context, q job.Request) error {
	return r.ScheduleAll(ctx, []job.Request{q})(ctx)[0]
}

// Get returns the job k, as [engine.Engine.Get] does.
func (r *Router) Get(ctx context.Context, k job.Key) (job.Spec, error) { return r.engine.Get(ctx, k) }

// List yields the jobs that p names, as [engine.Engine.List] does.
func (r *Router) List(ctx context.Context, p job.Prefix) iter.Seq2[job.Item, error] {
	return r.engine.List(ctx, p)
}

// DeleteAll removes the jobs that p names, as [engine.Engine.DeleteAll] does.
func (r *Router) DeleteAll(ctx context.Context, p job.Prefix) error {
	return r.engine.DeleteThrough(ctx, p, r.ScheduleAll)
}

// ScheduleAll schedules or removes each of all, as [engine.Engine.ScheduleAll] does, wherever its owner is.
func (r *Router) ScheduleAll(ctx context.Context, all []job.Request) (results func(ctx context.Context) []error) {
	errs := make([]error, len(all))
	under, changed := r.send(ctx, all, r.readable(all, errs))
	return func(ctx context.Context) []error {
		bounded, cancel := context.WithTimeoutCause(ctx, patience, job.ErrUnavailable)
		defer cancel()
		for wait := minWait; ; wait = min(2*wait, maxWait) {
			again := under.wait(ctx, errs)
			if len(again) == 0 {
				return errs
			}
			again = giveUp(all, errs, again)
			if !pause(bounded, changed, wait) {
				for _, i := range again {
					errs[i] = ended(bounded, errs[i])
				}
				return errs
			}
			under, changed = r.send(ctx, all, again)
		}
	}
}

// readable returns the indices of the requests whose jobs each member can read, since each may own them next. It notes the
// errors of the others.
func (r *Router) readable(all []job.Request, errs []error) (indices []int) {
	r.mu.Lock()
	oldest := r.oldest
	r.mu.Unlock()
	indices = make([]int, 0, len(all))
	for i := range all {
		if oldest.ID != "" && oldest.Format < record.Format && !all[i].Remove {
			if format := record.FormatOf(&all[i].Spec); format > oldest.Format {
				errs[i] = fmt.Errorf("the job needs record format %d, and node %s, which runs an older version, reads only up to %d: upgrade that node first: %w",
					format, oldest.ID, oldest.Format, job.ErrUnavailable)
				continue
			}
		}
		indices = append(indices, i)
	}
	return indices
}

// The wait before a call that has not begun is tried again doubles from the first to the second; it is over at once
// when the owners change.
const (
	minWait = 5 * time.Millisecond
	maxWait = 200 * time.Millisecond
)

// ended is why a call was given up that last met err.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); !errors.Is(cause, job.ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("given up after %v: %w", patience, err)
}

// pause waits for so long or until changed is closed, and reports whether ctx lasted.
func pause(ctx context.Context, changed <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-ctx.Done():
		return false
	}
	return ctx.Err() == nil
}

// giveUp leaves out of again what a later command about the same job has overtaken.
func giveUp(all []job.Request, errs []error, again []int) []int {
	if len(all) == 1 {
		return again
	}
	last := map[job.Key]int{} // the last command about each job that was carried out
	next := 0
	for i := range all {
		if next < len(again) && again[next] == i {
			next++
		} else if errs[i] == nil {
			last[all[i].Key] = i
		}
	}
	var rest []int
	for _, i := range again {
		if later, ok := last[all[i].Key]; ok && later > i {
			errs[i] = fmt.Errorf("a later command about the job was carried out meanwhile: %w", job.ErrUnavailable)
		} else {
			rest = append(rest, i)
		}
	}
	return rest
}

// A passage is commands that are under way, by the node that they went to.
type passage struct {
	parts []part
	stuck []int // commands that have no owner, or none that can be reached
}

// A part is the commands that went to one node.
type part struct {
	indices []int
	results func(ctx context.Context) []error
}

// send hands commands, those of all with the indices, to their owners, in their order. changed is closed when there are
// other owners.
func (r *Router) send(ctx context.Context, all []job.Request, indices []int) (under passage, changed <-chan struct{}) {
	r.mu.Lock()
	owners, peers, changed := r.owners, r.peers, r.changed
	type share struct {
		peer    *peer // nil: this node
		indices []int
	}
	var shares []share
	of := map[string]int{} // in shares
	for _, i := range indices {
		if len(owners) == 0 {
			under.stuck = append(under.stuck, i)
			continue
		}
		owner := owners[r.engine.Partition(all[i].Key)]
		p := peers[owner]
		if p == nil && owner != r.config.ID {
			under.stuck = append(under.stuck, i)
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
		under.parts = append(under.parts, part{s.indices, results})
	}
	return under, changed
}

// wait waits until the commands have been carried out or refused, notes their errors, and returns the indices of those
// that have not begun, in their order.
func (u passage) wait(ctx context.Context, errs []error) (again []int) {
	begun := map[int]bool{}
	all := u.stuck
	for _, i := range u.stuck {
		errs[i] = engine.ErrNotOwner
	}
	for _, p := range u.parts {
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
			again = append(again, i)
		}
	}
	return again
}
