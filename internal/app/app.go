// Package app builds a node from its configuration and runs it.
//
// A node is made of parts that are stopped in the reverse of the order in which they depend on one another: first the
// sidecar, so that no call and no trigger is new; then the Scheduler service, which ends the streams; then the engine,
// which records what has been delivered; and last the store. When one part fails, all are stopped in that order, and
// the node ends with what it said. In the all-in-one node sidecar and scheduler speak the same protocol as everywhere
// else, over connections in memory.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"google.golang.org/grpc/test/bufconn"

	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/scheduler"
	"carillon/internal/sidecar"
	"carillon/internal/store/pebblestore"
)

// A Config is what an operator may choose of an all-in-one node. Sidecar's schedulers are the node's to say.
type Config struct {
	Store    pebblestore.Config
	Engine   engine.Config
	Dispatch dispatch.Config
	Sidecar  sidecar.Config
}

// Listeners are where a node can be reached.
type Listeners struct {
	HTTP, GRPC net.Listener // the jobs API
	Scheduler  net.Listener // the Scheduler service, for other sidecars
}

// Close closes those that are open.
func (l Listeners) Close() error {
	var err error
	for _, n := range []net.Listener{l.HTTP, l.GRPC, l.Scheduler} {
		if n != nil {
			err = errors.Join(err, n.Close())
		}
	}
	return err
}

// A Node is an all-in-one node that holds its store and its listeners. Only Run lets go of them.
type Node struct {
	log       *slog.Logger
	listeners Listeners
	memory    *bufconn.Listener // on which the node's own sidecar finds the Scheduler service
	store     *pebblestore.Store
	engine    *engine.Engine
	scheduler *scheduler.Service
	sidecar   *sidecar.Sidecar
}

// memoryBuffer is how many bytes a connection in memory holds in each direction before its writer waits.
const memoryBuffer = 64 << 10

// Open builds a node that takes over the listeners. It opens the store, which no other process may have open. If it
// returns an error, the listeners are closed.
func Open(cfg Config, l Listeners, dialApp sidecar.Dialer, log *slog.Logger) (*Node, error) {
	n := &Node{log: log, listeners: l, memory: bufconn.Listen(memoryBuffer)}
	address := l.Scheduler.Addr().String()
	cfg.Sidecar.Schedulers = []string{address}
	dial := sidecar.Dialers{
		App:       dialApp,
		Scheduler: func(ctx context.Context, _ string) (net.Conn, error) { return n.memory.DialContext(ctx) },
	}
	var err error
	if n.sidecar, err = sidecar.New(cfg.Sidecar, dial, log); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if n.store, err = pebblestore.Open(cfg.Store, log); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	d := dispatch.New(cfg.Dispatch)
	n.engine = engine.New(cfg.Engine, n.store, d, log)
	n.scheduler = scheduler.New(scheduler.Config{Hosts: []string{address}}, n.engine, d, log)
	return n, nil
}

// Run runs the node until ctx ends, and then returns nil; or until a part of it fails. Everything that it started has
// ended by then, and the store is closed. It is to be called once.
func (n *Node) Run(ctx context.Context) error {
	err := runStages(ctx,
		n.store.Wait,
		n.engine.Run,
		func(ctx context.Context) error { return n.scheduler.Run(ctx, n.memory) },
		func(ctx context.Context) error { return n.scheduler.Run(ctx, n.listeners.Scheduler, scheduler.Pings()) },
		func(ctx context.Context) error {
			return n.sidecar.Run(ctx, sidecar.Listeners{
				HTTP: []net.Listener{n.listeners.HTTP}, GRPC: []net.Listener{n.listeners.GRPC},
			})
		},
	)
	if closed := n.store.Close(); closed != nil {
		err = errors.Join(err, closed)
	}
	if err != nil {
		return fmt.Errorf("run the node: %w", err)
	}
	return nil
}
