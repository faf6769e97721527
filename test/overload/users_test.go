//go:build linux

package overload

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"carillon/internal/bench"
	"carillon/internal/bulkv1"
)

// users are those who call the nodes.
type users struct {
	addresses []string
	conns     []*grpc.ClientConn // the first ones are to one node each
	on        []schedulerv1.SchedulerClient
}

// connect returns users with some connections to each node.
func connect(t *testing.T, nodes []*node) *users {
	t.Helper()
	u := &users{}
	for _, n := range nodes {
		u.addresses = append(u.addresses, n.address)
	}
	for i := range 4 * len(nodes) {
		conn, err := grpc.NewClient("passthrough:///"+u.addresses[i%len(nodes)],
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		u.conns, u.on = append(u.conns, conn), append(u.on, schedulerv1.NewSchedulerClient(conn))
	}
	return u
}

func metadata(app string) *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{AppId: app, Namespace: "default", Target: &schedulerv1.JobTargetMetadata{
		Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)},
	}}
}

// request asks for a job that is due once.
func request(app, name string, due time.Time, payload int) *schedulerv1.ScheduleJobRequest {
	at := due.UTC().Format(time.RFC3339Nano)
	data := make([]byte, payload)
	fill(data)
	return &schedulerv1.ScheduleJobRequest{Name: name, Overwrite: true, Metadata: metadata(app), Job: &schedulerv1.Job{
		DueTime: &at, Data: &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.BytesValue", Value: data},
	}}
}

// fill fills data with bytes that do not compress.
func fill(data []byte) {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], rand.Uint64())
	_, _ = rand.NewChaCha8(seed).Read(data) // it never fails
}

// retried is a policy that tries a job again and again.
func retried() *commonv1.JobFailurePolicy {
	return &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{
		Constant: &commonv1.JobFailurePolicyConstant{Interval: durationpb.New(10 * time.Millisecond)},
	}}
}

// bulk returns a client of one node's bulk service; callers take the nodes in turn.
func (u *users) bulk(caller int) bulkv1.BulkClient {
	return bulkv1.NewBulkClient(u.conns[caller%len(u.conns)])
}

// schedule schedules the jobs of the apps in groups, as their configuration says, and returns when all of them are
// acknowledged.
func (u *users) schedule(t *testing.T, cfg bench.AppsConfig, payload int) {
	t.Helper()
	const callers, bytes = 8, 2 << 20
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	group := min(500, max(1, bytes/(payload+200)))
	var next atomic.Int64
	var g errgroup.Group
	for caller := range callers {
		g.Go(func() error {
			client, message := u.bulk(caller), new(bulkv1.ScheduleJobsRequest)
			for {
				first := (int(next.Add(1)) - 1) * group
				if first >= cfg.Jobs {
					return nil
				}
				message.Jobs = message.Jobs[:0]
				for i := first; i < min(first+group, cfg.Jobs); i++ {
					r := request(cfg.ID(i%cfg.Apps), strconv.Itoa(i), cfg.Due.Add(time.Duration(i)*cfg.Interval), payload)
					if cfg.Answer == bench.AnswerFailed {
						r.Job.FailurePolicy = retried()
					}
					message.Jobs = append(message.Jobs, r)
				}
				if err := u.group(ctx, client, message); err != nil {
					return err
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatalf("schedule %d jobs, of which %d were sent: %v", cfg.Jobs, min(int(next.Load())*group, cfg.Jobs), err)
	}
}

// warm schedules and replaces jobs for a while, so that the buffers of the nodes are as full as
// those of nodes at work. It deletes the jobs again.
func (u *users) warm(t *testing.T, while time.Duration) {
	t.Helper()
	cfg := bench.AppsConfig{Prefix: "warm", Apps: 1, Jobs: 10_000, Due: time.Now().Add(1000 * time.Hour)}
	for begin := time.Now(); time.Since(begin) < while; {
		u.schedule(t, cfg, 64)
	}
	u.forget(t, cfg.ID(0), patience)
}

// group schedules the jobs of a message, those that are refused again, until all of them are acknowledged.
func (u *users) group(ctx context.Context, client bulkv1.BulkClient, message *bulkv1.ScheduleJobsRequest) error {
	for begin := time.Now(); ; {
		answer, err := client.ScheduleJobs(ctx, message)
		if err != nil || len(answer.GetRefused()) == 0 {
			return err
		}
		if r := answer.GetRefused()[0]; time.Since(begin) > patience {
			return status.Error(codes.Code(r.GetCode()), r.GetMessage())
		}
		var again []*schedulerv1.ScheduleJobRequest
		for _, r := range answer.GetRefused() {
			again = append(again, message.GetJobs()[r.GetIndex()])
		}
		message = &bulkv1.ScheduleJobsRequest{Jobs: again}
		time.Sleep(100 * time.Millisecond)
	}
}

// callTimes are how long calls took, in ascending order.
type callTimes struct {
	all    []time.Duration
	failed int
	err    error // of one that failed
}

func (c *callTimes) percentile(p float64) time.Duration {
	if len(c.all) == 0 {
		return 0
	}
	return c.all[min(int(p*float64(len(c.all))), len(c.all)-1)]
}

// call has a few callers of an app schedule a job, get it and delete it, one after the other, for as long as window.
func (u *users) call(ctx context.Context, app string, window time.Duration) *callTimes {
	const callers, answered = 8, 20 * time.Second // a call that takes longer has failed
	var mu sync.Mutex
	var c callTimes
	var all sync.WaitGroup
	end := time.Now().Add(window)
	for caller := range callers {
		all.Go(func() {
			on := u.on[caller%len(u.on)]
			r := request(app, "", time.Now().Add(1000*time.Hour), 64)
			for n := 0; time.Now().Before(end); n++ {
				r.Name = fmt.Sprintf("%d-%d", caller, n)
				for _, call := range []func(ctx context.Context) error{
					func(ctx context.Context) error { _, err := on.ScheduleJob(ctx, r); return err },
					func(ctx context.Context) error {
						_, err := on.GetJob(ctx, &schedulerv1.GetJobRequest{Name: r.Name, Metadata: r.Metadata})
						return err
					},
					func(ctx context.Context) error {
						_, err := on.DeleteJob(ctx, &schedulerv1.DeleteJobRequest{Name: r.Name, Metadata: r.Metadata})
						return err
					},
				} {
					begin := time.Now()
					ctx, cancel := context.WithTimeout(ctx, answered)
					err := call(ctx)
					cancel()
					mu.Lock()
					c.all = append(c.all, time.Since(begin))
					if err != nil {
						c.failed++
						c.err = err
					}
					mu.Unlock()
					if err != nil {
						time.Sleep(20 * time.Millisecond)
						break
					}
				}
			}
		})
	}
	all.Wait()
	slices.Sort(c.all)
	return &c
}

// stored returns how many jobs of an app are stored.
func (u *users) stored(t *testing.T, app string) (count int) {
	t.Helper()
	eventually(t, "list the jobs of "+app, 2*patience, func(ctx context.Context) error {
		r, err := u.on[0].ListJobs(ctx, &schedulerv1.ListJobsRequest{Metadata: metadata(app)})
		count = len(r.GetJobs())
		return err
	})
	return count
}

// A crowd is callers that list, and callers that schedule jobs with large bodies, all at once.
type crowd struct {
	stop          func()
	lists, bodies crowdCalls
}

// crowdCalls are the calls of one kind of a crowd.
type crowdCalls struct {
	done, refused atomic.Int64
	refusal       atomic.Pointer[error] // the last one
}

// String returns the numbers, and why the last call was refused.
func (c *crowdCalls) String() string {
	text := fmt.Sprintf("%d answered, %d refused", c.done.Load(), c.refused.Load())
	if last := c.refusal.Load(); last != nil {
		text += fmt.Sprintf(", the last with %v", *last)
	}
	return text
}

// large is a body at the bound of what a job may have.
const large = 1900 << 10

// wait waits until each kind of call has succeeded at least once, or patience ends.
func (c *crowd) wait(patience time.Duration) {
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(10 * time.Millisecond) {
		if c.lists.done.Load() > 0 && c.bodies.done.Load() > 0 {
			return
		}
	}
}

// crowd sets callers to work: so many that list the jobs of the app, and so many that schedule large ones.
func (u *users) crowd(t *testing.T, app string, listers, writers int) *crowd {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	c := &crowd{}
	c.stop = sync.OnceFunc(func() {
		cancel()
		all.Wait()
	})
	t.Cleanup(c.stop)
	again := func(calls *crowdCalls, call func() error) {
		for ctx.Err() == nil {
			err := call()
			switch {
			case err == nil:
				calls.done.Add(1)
			case status.Code(err) == codes.ResourceExhausted:
				calls.refused.Add(1)
				calls.refusal.Store(&err)
				time.Sleep(20 * time.Millisecond)
			case ctx.Err() == nil:
				t.Errorf("a list or a large body: %v, want it to be carried out, or refused for want of memory", err)
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	for i := range listers {
		all.Go(func() {
			again(&c.lists, func() error {
				_, err := u.on[i%len(u.on)].ListJobs(ctx, &schedulerv1.ListJobsRequest{Metadata: metadata(app)})
				return err
			})
		})
	}
	for i := range writers {
		all.Go(func() {
			r := request("bodies", strconv.Itoa(i), time.Now().Add(1000*time.Hour), large)
			again(&c.bodies, func() error {
				_, err := u.on[i%len(u.on)].ScheduleJob(ctx, r)
				return err
			})
		})
	}
	return c
}

// forget deletes all jobs of an app.
func (u *users) forget(t *testing.T, app string, patience time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := u.on[0].DeleteByMetadata(ctx, &schedulerv1.DeleteByMetadataRequest{Metadata: metadata(app)}); err != nil {
		t.Errorf("delete the jobs of %s: %v", app, err)
	}
}
