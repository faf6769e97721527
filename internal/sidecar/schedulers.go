package sidecar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/wire"
)

// callTimeout bounds a call of a scheduler, the wait for one included.
const callTimeout = 30 * time.Second

// connectTime is how long a call waits until a scheduler can be asked. One that restarts, or another that takes over, is
// back within it. After that the caller should know that there is none.
const connectTime = 5 * time.Second

// headStart is how long the host whose turn it is has to connect before the call goes to another that is connected
// (RFC 8305, section 5, recommends as much between attempts to connect).
const headStart = 250 * time.Millisecond

// Dapr's texts, which users see.
var (
	errDisabled error = &wire.HelpfulError{
		Text: "scheduler clients are disabled",
		Help: "this sidecar has no scheduler: start it with --scheduler-host-address, such as localhost:50006",
	}
	errNoHosts error = &wire.HelpfulError{
		Text: "no scheduler client initialized",
		Help: "the scheduler of --scheduler-host-address says that there is no scheduler: its log says more",
	}
	errClosed = errors.New("the sidecar is stopping")
)

// unreachable is the error of a call that reached no scheduler at these addresses.
func unreachable(addresses ...string) error {
	return &wire.UnreachableError{Text: fmt.Sprintf(
		"no scheduler could be reached at %s within %v: start it, or correct --scheduler-host-address", strings.Join(addresses, ", "), connectTime)}
}

// schedulers is the list of schedulers, and a connection to each for calls. It is safe for concurrent use.
type schedulers struct {
	connect    func(address string) (*host, error)
	configured []string // addresses; empty if there is no scheduler

	mu      sync.Mutex // guards the fields below
	known   bool       // set was called
	closed  bool
	hosts   []string         // the list as it came, each once
	conns   map[string]*host // one for each host
	next    int              // counts calls, to take hosts in turns
	changed chan struct{}    // closed, and replaced, when the list changes
	leaving sync.WaitGroup   // counts hosts that have left the list and not ended
	ended   chan struct{}    // closed when closed is set
}

func newSchedulers(connect func(string) (*host, error), configured []string) *schedulers {
	return &schedulers{
		connect: connect, configured: configured,
		conns: make(map[string]*host), changed: make(chan struct{}), ended: make(chan struct{}),
	}
}

// list returns the hosts, whether a list is known at all, and what is closed when that changes. The list is not to be
// written to.
func (s *schedulers) list() (hosts []string, known bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hosts, s.known, s.changed
}

// set makes hosts the list, and reports whether that is another set of hosts. Connections to hosts that stay are
// untouched; those of hosts that leave are closed when what was sent over them is answered. Calls that have not been sent
// then fail with Canceled.
func (s *schedulers) set(ctx context.Context, hosts []string) (changed bool, err error) {
	var list []string
	for _, h := range hosts {
		if !slices.Contains(list, h) {
			list = append(list, h)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, errClosed
	}
	isNew := func(h string) bool { return !slices.Contains(s.hosts, h) }
	if s.known && len(list) == len(s.hosts) && !slices.ContainsFunc(list, isNew) {
		return false, nil
	}
	for _, h := range list {
		if s.conns[h] == nil {
			conn, err := s.connect(h)
			if err != nil {
				return false, fmt.Errorf("scheduler %q: %w", h, err)
			}
			s.conns[h] = conn
		}
	}
	for h, conn := range s.conns {
		if !slices.Contains(list, h) {
			s.leaving.Go(func() { conn.leave(context.WithoutCancel(ctx), s.ended) })
			delete(s.conns, h)
		}
	}
	s.hosts, s.known = list, true
	close(s.changed)
	s.changed = make(chan struct{})
	return true, nil
}

// close ends all connections, and returns when nothing uses them any more.
func (s *schedulers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.ended)
	}
	for _, h := range s.conns {
		_ = h.conn.Close()
		h.bulk.close()
	}
	s.leaving.Wait()
}

// call makes a call of the scheduler whose turn it is, or, where that is not connected, of another. It waits for the first
// list of hosts, and looks again when the host it had leaves the list before the call was sent; a call that a scheduler may
// have got is made nowhere else. The error is the call's, or else one that never reached a scheduler.
func (s *schedulers) call(ctx context.Context, f func(context.Context, *host) error) error {
	if len(s.configured) == 0 {
		return errDisabled
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	until := time.Now().Add(connectTime)
	for {
		h, err := s.pick(ctx, until)
		if err == nil {
			err = f(ctx, h)
			h.inUse.Done()
		}
		if status.Code(err) != codes.Canceled || ctx.Err() != nil {
			return err
		}
		if !pause(ctx, 125*time.Millisecond, 375*time.Millisecond) {
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

// pick returns a host that is connected, for which it waits until then: the one whose turn it is, if it can. It is in use
// then. The code of the error is Canceled if the host has left the list meanwhile.
func (s *schedulers) pick(ctx context.Context, until time.Time) (*host, error) {
	if _, known, changed := s.list(); !known {
		waiting, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		select {
		case <-changed: // which happens once, from no list to one
		case <-waiting.Done():
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, unreachable(s.configured...)
		}
	}
	hosts := s.inTurn()
	if len(hosts) == 0 {
		return nil, errNoHosts
	}
	h, err := firstConnected(ctx, until, hosts)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[h.address] != h {
		return nil, status.Error(codes.Canceled, "the scheduler has left")
	}
	h.inUse.Add(1)
	return h, nil
}

// inTurn returns the hosts, beginning with the one whose turn it is.
func (s *schedulers) inTurn() []*host {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	hosts := make([]*host, len(s.hosts))
	for i := range hosts {
		hosts[i] = s.conns[s.hosts[(s.next+i)%len(hosts)]]
	}
	return hosts
}
