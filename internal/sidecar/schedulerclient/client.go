package schedulerclient

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/pause"
)

// A Client calls schedulers. It is safe for concurrent use.
type Client struct {
	connector
	log *slog.Logger

	mu      sync.Mutex // guards the fields below
	known   bool       // setHosts was called
	closed  bool
	hosts   []string         // the list in its order, each host once
	conns   map[string]*host // one for each of hosts
	next    int              // counts calls, to take hosts in turn
	changed chan struct{}    // closed, and replaced, when the list changes
	leaving sync.WaitGroup   // hosts that left the list and still have calls
	done    chan struct{}    // closed when closed is set
}

// New returns a client that does nothing until it is called.
func New(cfg Config, log *slog.Logger) *Client {
	return &Client{
		connector: connector{cfg}, log: log, conns: make(map[string]*host),
		changed: make(chan struct{}), done: make(chan struct{}),
	}
}

// Hosts returns the list of hosts, and whether it is known yet. The channel is closed when the list
// changes. The caller must not modify the list.
func (c *Client) Hosts() (hosts []string, known bool, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hosts, c.known, c.changed
}

// setHosts makes hosts the list, and reports whether the set of hosts changed. Connections to hosts
// that stay are untouched. A host that leaves is closed when the calls that were sent to it have
// ended; calls that were not sent fail with Canceled.
func (c *Client) setHosts(ctx context.Context, hosts []string) (changed bool, err error) {
	var list []string
	for _, h := range hosts {
		if !slices.Contains(list, h) {
			list = append(list, h)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, errClosed
	}
	isNew := func(h string) bool { return !slices.Contains(c.hosts, h) }
	if c.known && len(list) == len(c.hosts) && !slices.ContainsFunc(list, isNew) {
		return false, nil
	}
	for _, h := range list {
		if c.conns[h] == nil {
			conn, err := c.Connect(h)
			if err != nil {
				return false, fmt.Errorf("scheduler %q: %w", h, err)
			}
			c.conns[h] = newCombiningHost(h, conn)
		}
	}
	for h, conn := range c.conns {
		if !slices.Contains(list, h) {
			c.leaving.Go(func() { conn.leave(context.WithoutCancel(ctx), c.done) })
			delete(c.conns, h)
		}
	}
	c.hosts, c.known = list, true
	close(c.changed)
	c.changed = make(chan struct{})
	return true, nil
}

// Close closes all connections, and returns when no call uses them any more.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.done)
	}
	for _, h := range c.conns {
		_ = h.conn.Close()
	}
	c.leaving.Wait()
}

// call calls f with the scheduler whose turn it is, or, if that is not connected, another. It waits
// for the first list of hosts. If the host leaves the list before the call was sent, it picks
// another. The error is that of f, or says that no scheduler was reached.
func (c *Client) call(ctx context.Context, f func(context.Context, *host) error) error {
	if len(c.cfg.Addresses) == 0 {
		return errDisabled
	}
	ctx, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	deadline := time.Now().Add(connectTimeout)
	for {
		h, err := c.pick(ctx, deadline)
		if err == nil {
			err = f(ctx, h)
			h.inFlight.Done()
		}
		if status.Code(err) != codes.Canceled || ctx.Err() != nil {
			return err
		}
		if !pause.Between(ctx, 125*time.Millisecond, 375*time.Millisecond) {
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

// pick waits until the deadline for a connected host: the one whose turn it is, if possible. The
// caller must call inFlight.Done. The code of the error is Canceled if the host left the list.
func (c *Client) pick(ctx context.Context, deadline time.Time) (*host, error) {
	if _, known, changed := c.Hosts(); !known {
		waiting, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		select {
		case <-changed: // from no list to the first one
		case <-waiting.Done():
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, unreachable(c.cfg.Addresses...)
		}
	}
	hosts := c.inTurn()
	if len(hosts) == 0 {
		return nil, errNoHosts
	}
	h, err := firstConnected(ctx, deadline, hosts)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns[h.address] != h {
		return nil, status.Error(codes.Canceled, "the scheduler has left")
	}
	h.inFlight.Add(1)
	return h, nil
}

// inTurn returns the hosts, starting with the one whose turn it is.
func (c *Client) inTurn() []*host {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	hosts := make([]*host, len(c.hosts))
	for i := range hosts {
		hosts[i] = c.conns[c.hosts[(c.next+i)%len(hosts)]]
	}
	return hosts
}
