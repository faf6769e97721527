package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"

	"carillon/internal/cluster"
	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/peerv1"
)

// Config configures a [Router].
type Config struct {
	// ID is the id of this node among the members of the cluster.
	ID string
	// Dial returns a connection to the node with this address, which connects when it is first used,
	// or an error if the address is invalid.
	Dial func(address string, options ...grpc.DialOption) (*grpc.ClientConn, error)
	// Progress returns how far jobs of this node have got, which are due; nil means what its engine
	// says.
	Progress func(ctx context.Context, keys []job.Key) ([]engine.DueProgress, error)
	// Reporter says how this node is.
	Reporter peerv1.Reporter
}

// A Router stores jobs on the nodes of a cluster that own them. It is safe for concurrent use.
// Calls wait until Follow has set the owners.
type Router struct {
	config Config
	engine *engine.Engine
	log    *slog.Logger

	mu      sync.Mutex   // guards the fields below
	owners  []string     // by partition, an ID; empty while the node is no member
	oldest  cluster.Node // the member that reads the fewest formats of records
	peers   map[string]*peer
	history memberHistory
	changed chan struct{}  // closed, and replaced, when the owners change
	loaded  bool           // the engine has once held all partitions of the node
	closing chan struct{}  // closed when Run ends: no more peers are added
	closes  sync.WaitGroup // peers that are being closed
}

// New returns a router of the node with this engine.
func New(cfg Config, e *engine.Engine, log *slog.Logger) *Router {
	if cfg.Progress == nil {
		cfg.Progress = e.Progress
	}
	return &Router{
		config: cfg, engine: e, log: log.With(slog.String("component", "forward"), slog.String("node", cfg.ID)),
		peers: map[string]*peer{}, history: newMemberHistory(), changed: make(chan struct{}), closing: make(chan struct{}),
	}
}

// Follow sets the view of the cluster. The empty view means that the node is no member.
func (r *Router) Follow(v cluster.View) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owners = v.Owners
	r.history.follow(v, time.Now())
	r.oldest, _ = v.Oldest()
	others := map[string]cluster.Node{}
	for _, m := range v.Members {
		if m.ID != r.config.ID {
			others[m.ID] = m
		}
	}
	for id, p := range r.peers {
		if others[id] != p.node {
			r.removePeer(p)
		}
	}
	for id, n := range others {
		if r.peers[id] == nil {
			r.addPeer(n)
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// addPeer connects to a member, unless Run has ended. r.mu must be held.
func (r *Router) addPeer(n cluster.Node) {
	select {
	case <-r.closing:
		return
	default:
	}
	p, err := newPeer(n, r.config.Dial)
	if err != nil {
		r.log.Error("the address of another node is invalid; configure another for that node",
			slog.String("peer", n.ID), slog.String("address", n.Addr), slog.Any("err", err))
		return
	}
	r.peers[n.ID] = p
}

// removePeer closes the connection to a former member. r.mu must be held.
func (r *Router) removePeer(p *peer) {
	delete(r.peers, p.node.ID)
	r.closes.Go(func() { p.close(r.closing) })
}

// Run waits until ctx ends, closes the connections to the other nodes, and returns nil.
func (r *Router) Run(ctx context.Context) error {
	<-ctx.Done()
	r.mu.Lock()
	close(r.closing)
	for _, p := range r.peers {
		r.removePeer(p)
	}
	r.mu.Unlock()
	r.closes.Wait()
	return nil
}

// Health returns nil if the node is a member of the cluster and has loaded the partitions that it
// got when it joined.
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
	r.loaded = true // from now on the engine reports missing partitions
	return nil
}

// ListPage returns some of the jobs that p selects like [engine.Engine.ListPage].
func (r *Router) ListPage(
	ctx context.Context, p job.Prefix, position []byte, limit int,
) ([]job.Item, []byte, error) {
	return r.engine.ListPage(ctx, p, position, limit)
}
