package sidecar

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"

	"carillon/internal/batchstream"
)

// A host is a scheduler, and how calls get there.
type host struct {
	schedulerv1.SchedulerClient
	address string
	conn    *grpc.ClientConn
	bulk    *bulk
	calls   *family[rpc, rpcSeries]
	inUse   sync.WaitGroup // counts calls
}

func newHost(address string, conn *grpc.ClientConn, calls *family[rpc, rpcSeries]) *host {
	return &host{
		SchedulerClient: schedulerv1.NewSchedulerClient(conn), address: address, conn: conn,
		bulk: &bulk{client: bulkv1.NewBulkClient(conn)}, calls: calls,
	}
}

// firstConnected returns the first of hosts, or, if it does not connect, any that does until then.
func firstConnected(ctx context.Context, until time.Time, hosts []*host) (*host, error) {
	if hosts[0].conn.GetState() == connectivity.Ready {
		return hosts[0], nil
	}
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if hosts[0].startsWell(waiting) {
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
			if h.connects(waiting, connectivity.Shutdown) {
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

// startsWell reports whether h is connected within its head start, without a failure before.
func (h *host) startsWell(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, headStart)
	defer cancel()
	return h.connects(ctx, connectivity.TransientFailure)
}

// connects connects h, and reports whether that comes about before its state is the given one, or ctx ends. A connection
// that is closed counts as there: a call says so.
func (h *host) connects(ctx context.Context, before connectivity.State) bool {
	for {
		switch state := h.conn.GetState(); state {
		case connectivity.Ready, connectivity.Shutdown:
			return true
		case before:
			return false
		default:
			h.conn.Connect()
			if !h.conn.WaitForStateChange(ctx, state) {
				return false
			}
		}
	}
}

// leave ends the connection when all calls that were sent over it have ended, or given has. What waits for a connection is
// broken off then, and may go elsewhere; what was sent must not, since nobody knows whether it is carried out.
func (h *host) leave(ctx context.Context, given <-chan struct{}) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() { h.inUse.Wait(); end() })
	waiting.Go(func() {
		select {
		case <-given:
			end()
		case <-ctx.Done():
		}
	})
	h.conn.WaitForStateChange(ctx, connectivity.Ready)
	_ = h.conn.Close()
	h.bulk.close()
}

// schedule stores one job.
func (s *schedulers) schedule(ctx context.Context, r *schedulerv1.ScheduleJobRequest) error {
	return s.scheduleAll(ctx, []*schedulerv1.ScheduleJobRequest{r})[0]
}

// scheduleAll stores jobs of one target, those with the same name in their order, and returns the error of each. It
// looks for a scheduler as call does.
func (s *schedulers) scheduleAll(ctx context.Context, all []*schedulerv1.ScheduleJobRequest) []error {
	errs := make([]error, len(all))
	left := make([]int, len(all))
	for i := range left {
		left[i] = i
	}
	rest := all
	err := s.call(ctx, func(ctx context.Context, h *host) error {
		var again error
		var moved []int
		for i, err := range h.scheduleAll(ctx, rest) {
			errs[left[i]] = err
			if status.Code(err) == codes.Canceled {
				moved, again = append(moved, left[i]), err
			}
		}
		left, rest = moved, rest[:0:0]
		for _, i := range left {
			rest = append(rest, all[i])
		}
		return again
	})
	if err != nil {
		for _, i := range left {
			errs[i] = err
		}
	}
	return errs
}

// scheduleAll stores jobs over the stream, and what cannot go there one by one.
func (h *host) scheduleAll(ctx context.Context, all []*schedulerv1.ScheduleJobRequest) []error {
	stream := h.bulk.current(ctx, len(all) > 1)
	if stream == nil {
		return h.oneByOne(ctx, all)
	}
	began, sizes := time.Now(), sizesOf(all)
	errs := stream.Post(all, sizes, maxBulkJob).Wait(ctx)
	took := time.Since(began)
	var others []*schedulerv1.ScheduleJobRequest
	for i, err := range errs {
		if errors.Is(err, batchstream.ErrNotBegun) {
			others = append(others, all[i])
			continue
		}
		if status.Code(err) == codes.Canceled && ctx.Err() == nil { // the connection was closed, and nobody knows
			err = status.Error(codes.Unavailable, "the scheduler has left, and had not answered")
			errs[i] = err
		}
		// To whoever looks at the metrics of calls, each job is a call of its own.
		series := h.calls.of(rpcOf(schedulerv1.Scheduler_ScheduleJob_FullMethodName, err))
		series.add(took)
		series.sent.Observe(float64(sizes[i]))
		series.received.Observe(0)
	}
	if len(others) == 0 {
		return errs
	}
	results := h.oneByOne(ctx, others)
	for i, err := range errs {
		if errors.Is(err, batchstream.ErrNotBegun) {
			errs[i], results = results[0], results[1:]
		}
	}
	return errs
}

// maxCallers is how many calls are made at once for those who schedule many jobs.
const maxCallers = 16

// oneByOne stores jobs by as many calls. One with the name of another is stored after it.
func (h *host) oneByOne(ctx context.Context, all []*schedulerv1.ScheduleJobRequest) []error {
	errs := make([]error, len(all))
	call := func(i int) {
		_, errs[i] = h.ScheduleJob(ctx, all[i], grpc.WaitForReady(true))
	}
	if len(all) == 1 {
		call(0)
		return errs
	}
	seed := maphash.MakeSeed()
	var callers sync.WaitGroup
	for share := range uint64(maxCallers) {
		callers.Go(func() {
			for i, r := range all {
				if maphash.String(seed, r.GetName())%maxCallers == share {
					call(i)
				}
			}
		})
	}
	callers.Wait()
	return errs
}
