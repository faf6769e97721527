package etcdtest

import (
	"context"
	"net"
)

// Cut stops all traffic of the client of that name, or lets it continue.
func (m *Memory) Cut(name string, cut bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch wall := m.cut[name]; {
	case cut && wall == nil:
		m.cut[name] = make(chan struct{})
	case !cut && wall != nil:
		close(wall)
		delete(m.cut, name)
	}
}

// reach waits until the client of that name is not cut off.
func (m *Memory) reach(ctx context.Context, name string) error {
	m.mu.Lock()
	wall := m.cut[name]
	m.mu.Unlock()
	if wall == nil {
		return ctx.Err()
	}
	select {
	case <-wall:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wire is a connection that Cut can stop.
type wire struct {
	net.Conn
	memory *Memory
	name   string
}

func (w wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	_ = w.memory.reach(context.Background(), w.name) //nolint:forbidigo // a connection has no context
	return n, err
}

func (w wire) Write(b []byte) (int, error) {
	_ = w.memory.reach(context.Background(), w.name) //nolint:forbidigo // a connection has no context
	return w.Conn.Write(b)
}
