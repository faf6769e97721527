package simulate_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"carillon/internal/pause"
)

// A peer is a sidecar of Dapr: it speaks Dapr's protocol, and answers late, twice, in any order, with numbers
// that it was never given, and sometimes not at all; then it opens a new stream after a while.
type peer struct {
	*replica
	stream  schedulerv1.Scheduler_WatchJobsClient
	address string // of the scheduler

	mu sync.Mutex // held while sending
}

// connect connects who to a scheduler. Pings find out about one that says nothing.
func (w *world) connect(who, address string) *grpc.ClientConn {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return w.dial(ctx, who, address) }),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 5 * time.Second, Backoff: quickBackoff}),
		grpc.WithIdleTimeout(0),
	)
	if err != nil {
		panic(err)
	}
	return conn
}

// watch keeps a stream to a scheduler open until ctx ends.
func (r *replica) watch(ctx context.Context, address string) {
	conn := r.world.connect(r.program.name, address)
	defer conn.Close()
	for ctx.Err() == nil {
		r.receive(ctx, address, schedulerv1.NewSchedulerClient(conn))
		pause.For(ctx, 300*time.Millisecond)
	}
}

// initial is what a stream begins with.
func (r *replica) initial() *schedulerv1.WatchJobsRequestInitial {
	m := &schedulerv1.WatchJobsRequestInitial{AppId: r.app.id, Namespace: namespace}
	if !r.app.actor {
		return m
	}
	m.ActorTypes = []string{r.app.id}
	if r.app.limit > 0 && !r.world.plant.unlimited {
		actor := &schedulerv1.ConcurrencyLimitActor{Type: r.app.id}
		m.ConcurrencyLimits = []*schedulerv1.ConcurrencyLimit{
			{MaxConcurrent: int32(r.app.limit), Target: &schedulerv1.ConcurrencyLimit_Actor{Actor: actor}},
		}
	}
	return m
}

// receive has one stream, until it breaks or the peer has enough of it.
func (r *replica) receive(ctx context.Context, address string, c schedulerv1.SchedulerClient) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m, changed := r.now()
	if m == away {
		select {
		case <-changed:
		case <-ctx.Done():
		}
		return
	}
	stream, err := c.WatchJobs(ctx, grpc.WaitForReady(true))
	if err != nil {
		return
	}
	err = stream.Send(&schedulerv1.WatchJobsRequest{
		WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{Initial: r.initial()},
	})
	if err != nil {
		return
	}
	p := &peer{replica: r, stream: stream, address: address}
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	r.mu.Lock()
	r.kill = r.cutOff
	r.mu.Unlock()
	working.Go(func() { // an app that goes away, or has hung from the start, takes its stream along
		for m != away && ctx.Err() == nil {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			if m == hanging {
				break
			}
			m, changed = r.now()
		}
		cancel()
	})
	for {
		m, err := stream.Recv()
		if err != nil {
			return
		}
		working.Go(func() { p.answer(ctx, m, cancel) })
	}
}

// answer does with a trigger what its program says.
func (p *peer) answer(ctx context.Context, m *schedulerv1.WatchJobsResponse, giveUp func()) {
	h := p.world.history
	e := event{
		who: p.program.name, call: h.call(), version: versionIn(string(m.GetData().GetValue())),
		key: keyOfTrigger(m.GetName(), m.GetMetadata()), text: p.address, limit: p.app.limit,
	}
	e.what = arrived
	h.add(e)
	a, changed := p.react(e.version)
	twice, strange, never := a.rnd.IntN(8) == 0, a.rnd.IntN(20) == 0, a.rnd.IntN(30) == 0
	later := time.Duration(a.rnd.IntN(3000)) * time.Millisecond
	e.what = left
	if p.world.since() > calm {
		twice, strange, never = false, false, false
	}
	if a.hangs {
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	if !pause.For(ctx, a.after) {
		e.text = "nobody waits any more"
		h.add(e)
		return
	}
	if never {
		e.text = "is never answered"
		h.add(e)
		pause.For(ctx, later)
		giveUp()
		return
	}
	status := schedulerv1.WatchJobsRequestResultStatus_SUCCESS
	if a.status == http.StatusInternalServerError {
		status = schedulerv1.WatchJobsRequestResultStatus_FAILED
	}
	e.text = status.String()
	h.add(e)
	if strange {
		p.send(m.GetId()+1000, status)
	}
	p.send(m.GetId(), status)
	if twice && pause.For(ctx, later) {
		p.send(m.GetId(), schedulerv1.WatchJobsRequestResultStatus_FAILED)
	}
}

func (p *peer) send(id uint64, status schedulerv1.WatchJobsRequestResultStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Result{
		Result: &schedulerv1.WatchJobsRequestResult{Id: id, Status: status},
	}}) // the stream may have ended
}
