package schedulerclient

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
	"carillon/internal/pause"
)

// connectionAttemptDelay is how long the host whose turn it is has to connect before the call goes
// to another connected host (RFC 8305, section 5, recommends the same value).
const connectionAttemptDelay = 250 * time.Millisecond

// A host is one scheduler of the list, with a connection for calls.
type host struct {
	schedulerv1.SchedulerClient
	address  string
	conn     *grpc.ClientConn
	bulk     bulkv1.BulkClient
	combiner combiner       // of single jobs
	inFlight sync.WaitGroup // calls

	noBulkUntil atomic.Pointer[time.Time] // the scheduler does not have the bulk service; nil if not known
}

func newHost(address string, conn *grpc.ClientConn) *host {
	return &host{
		SchedulerClient: schedulerv1.NewSchedulerClient(conn), address: address, conn: conn,
		bulk: bulkv1.NewBulkClient(conn),
	}
}

// firstConnected returns the first of hosts, or, if that does not connect soon, any host that
// connects before the deadline.
func firstConnected(ctx context.Context, deadline time.Time, hosts []*host) (*host, error) {
	if hosts[0].conn.GetState() == connectivity.Ready {
		return hosts[0], nil
	}
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if hosts[0].connectsFirst(waiting) {
		return hosts[0], nil
	}
	for _, h := range hosts {
		if h.conn.GetState() == connectivity.Ready {
			return h, nil
		}
	}
	connected := make(chan *host, len(hosts))
	var waits sync.WaitGroup
	defer waits.Wait()
	defer cancel()
	for _, h := range hosts {
		waits.Go(func() {
			if h.connect(waiting, connectivity.Shutdown) {
				connected <- h
			}
		})
	}
	select {
	case h := <-connected:
		return h, nil
	case <-waiting.Done():
	}
	if ctx.Err() != nil {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	addresses := make([]string, len(hosts))
	for i, h := range hosts {
		addresses[i] = h.address
	}
	return nil, unreachable(addresses...)
}

// connectsFirst reports whether h connects within connectionAttemptDelay, at the first attempt.
func (h *host) connectsFirst(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, connectionAttemptDelay)
	defer cancel()
	return h.connect(ctx, connectivity.TransientFailure)
}

// connect connects h. It gives up and returns false in the state giveUp, or when ctx ends. It
// returns true for a closed connection: the call then fails with the reason.
func (h *host) connect(ctx context.Context, giveUp connectivity.State) bool {
	for {
		switch state := h.conn.GetState(); state {
		case connectivity.Ready, connectivity.Shutdown:
			return true
		case giveUp:
			return false
		default:
			h.conn.Connect()
			if !h.conn.WaitForStateChange(ctx, state) {
				return false
			}
		}
	}
}

// drainTimeout is how long the calls in flight to a host that has left may take once it disconnects:
// longer than a scheduler waits for them when it stops.
const drainTimeout = 5 * time.Second

// leave closes the connection when all calls in flight have ended, or stop is closed. Once the
// scheduler disconnects, which it also does when it stops and still answers, the calls have
// drainTimeout. Those that still wait for a connection then may go to another host. A call that was
// sent must not: the scheduler may have carried it out.
func (h *host) leave(ctx context.Context, stop <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() { h.inFlight.Wait(); cancel() })
	waiting.Go(func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	})
	if h.conn.WaitForStateChange(ctx, connectivity.Ready) {
		pause.For(ctx, drainTimeout)
	}
	_ = h.conn.Close()
}
