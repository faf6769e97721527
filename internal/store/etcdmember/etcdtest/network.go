package etcdtest

import (
	"context"
	"net"
	"sync"
)

// A network carries the traffic of the clients, and can cut each of them off. It is safe for
// concurrent use.
type network struct {
	mu  sync.Mutex               // guards the field below
	cut map[string]chan struct{} // by the name of a client that is cut off; closed when it no longer is
}

func (n *network) setCut(name string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch ended := n.cut[name]; {
	case cut && ended == nil:
		n.cut[name] = make(chan struct{})
	case !cut && ended != nil:
		close(ended)
		delete(n.cut, name)
	}
}

// reach waits until the client of that name is not cut off.
func (n *network) reach(ctx context.Context, name string) error {
	n.mu.Lock()
	ended := n.cut[name]
	n.mu.Unlock()
	if ended == nil {
		return ctx.Err()
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wire is a connection of a client that the network can cut off.
type wire struct {
	net.Conn
	network *network
	name    string
}

func (w wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	_ = w.network.reach(context.Background(), w.name) //nolint:forbidigo // a connection has no context
	return n, err
}

func (w wire) Write(b []byte) (int, error) {
	_ = w.network.reach(context.Background(), w.name) //nolint:forbidigo // a connection has no context
	return w.Conn.Write(b)
}
