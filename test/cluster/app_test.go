//go:build linux

package cluster

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// namespace is that of all jobs here.
const namespace = "default"

// An app stands for a sidecar with its app: it follows the list of hosts, has a stream to each of them, and notes what
// comes in the ledger.
type app struct {
	c  *cluster
	id string

	mu    sync.Mutex // guards the fields below
	hosts []string   // the latest list
	lists int        // that came
}

// app runs an app until the test ends.
func (c *cluster) app(id string) *app {
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.t.Context()))
	a := &app{c: c, id: id}
	var all sync.WaitGroup
	all.Go(func() { a.follow(ctx) })
	c.t.Cleanup(func() { cancel(); all.Wait() })
	return a
}

// known returns the latest list of hosts, and how many there were.
func (a *app) known() (hosts []string, lists int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hosts, a.lists
}

// follow keeps streams to the hosts that some node lists.
func (a *app) follow(ctx context.Context) {
	var streams sync.WaitGroup
	defer streams.Wait()
	open := map[string]context.CancelFunc{}
	defer func() {
		for _, end := range open {
			end()
		}
	}()
	for ctx.Err() == nil {
		_ = a.listsOf(ctx, a.c.nodes[rand.IntN(len(a.c.nodes))].address(), func(hosts []string) {
			for h, end := range open {
				if !slices.Contains(hosts, h) {
					end()
					delete(open, h)
				}
			}
			for _, h := range hosts {
				if open[h] == nil {
					var inner context.Context
					inner, open[h] = context.WithCancel(ctx)
					streams.Go(func() { a.watch(inner, h) })
				}
			}
		})
		pause(ctx, time.Second)
	}
}

// listsOf applies the lists that one node publishes until that ends.
func (a *app) listsOf(ctx context.Context, address string, apply func(hosts []string)) error {
	conn, err := dial(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := schedulerv1.NewSchedulerClient(conn).WatchHosts(ctx, new(schedulerv1.WatchHostsRequest))
	if err != nil {
		return err
	}
	for before := []string(nil); ; {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		var hosts []string
		for _, h := range m.GetHosts() {
			hosts = append(hosts, h.GetAddress())
		}
		slices.Sort(hosts)
		switch {
		case len(hosts) == 0:
			a.c.ledger.complain("a list of hosts is empty")
		case len(slices.Compact(slices.Clone(hosts))) != len(hosts):
			a.c.ledger.complain("a list of hosts has one twice: %v", hosts)
		case slices.Equal(hosts, before):
			a.c.ledger.complain("a list of hosts came again though it had not changed: %v", hosts)
		}
		a.mu.Lock()
		a.hosts, before = hosts, hosts
		a.lists++
		a.mu.Unlock()
		apply(hosts)
	}
}

// watch keeps a stream to the host until ctx ends.
func (a *app) watch(ctx context.Context, host string) {
	conn, err := dial(host)
	if err != nil {
		a.c.ledger.complain("the host %q: %v", host, err)
		return
	}
	defer conn.Close()
	for ctx.Err() == nil {
		_ = a.receive(ctx, conn, host)
		pause(ctx, 250*time.Millisecond+rand.N(500*time.Millisecond))
	}
}

func (a *app) receive(ctx context.Context, conn *grpc.ClientConn, host string) error {
	ctx, end := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer end()
	stream, err := schedulerv1.NewSchedulerClient(conn).WatchJobs(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{
		Initial: &schedulerv1.WatchJobsRequestInitial{
			AppId: a.id, Namespace: namespace,
			AcceptJobTypes: []schedulerv1.JobTargetType{schedulerv1.JobTargetType_JOB_TARGET_TYPE_JOB},
		},
	}}); err != nil {
		return err
	}
	var mu sync.Mutex // held while sending
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		a.c.ledger.deliver(a.id+"/"+m.GetName(), a.c.at(host), time.Now())
		work.Go(func() {
			pause(ctx, rand.N(5*time.Millisecond))
			mu.Lock()
			defer mu.Unlock()
			_ = stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Result{
				Result: &schedulerv1.WatchJobsRequestResult{Id: m.GetId()}, // success
			}})
		})
	}
}

// at returns the id of the node that is reached there.
func (c *cluster) at(address string) string {
	for _, n := range c.nodes {
		if n.address() == address {
			return n.id
		}
	}
	return address
}

// dial connects as a sidecar does, but looks again sooner.
func dial(address string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to %q: %w", address, err)
	}
	return conn, nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
