package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// namespace is the namespace of all jobs of a run.
const namespace = "default"

// client has connections to one server, or to all servers of a cluster.
type client struct {
	conns   []*grpc.ClientConn
	stubs   []schedulerv1.SchedulerClient // one per connection
	hosts   int                           // number of servers; the first connections are to one each
	servers []string                      // their addresses
	payload int
}

// dial returns a client with that many connections to the servers at the addresses, at least one to
// each. The data of its jobs has payload bytes.
func dial(connections, payload int, addresses ...string) (*client, error) {
	c := &client{payload: payload, hosts: len(addresses), servers: addresses}
	for i := range max(connections, len(addresses)) {
		address := addresses[i%len(addresses)]
		conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connect to %s: %w", address, err), c.close())
		}
		c.conns, c.stubs = append(c.conns, conn), append(c.stubs, schedulerv1.NewSchedulerClient(conn))
	}
	return c, nil
}

func (c *client) close() error {
	var errs []error
	for _, conn := range c.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// meta returns the metadata of a request about jobs of the app.
func meta(app string) *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{AppId: app, Namespace: namespace, Target: &schedulerv1.JobTargetMetadata{
		Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)},
	}}
}

// request returns a request for a job of the app, without a name. A caller may send it repeatedly.
func (c *client) request(app string, j *schedulerv1.Job) *schedulerv1.ScheduleJobRequest {
	j.Data = &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.BytesValue", Value: make([]byte, c.payload)}
	scramble(j.Data.Value, 0)
	return &schedulerv1.ScheduleJobRequest{Job: j, Metadata: meta(app)}
}

// scramble fills data with bytes that do not compress and that differ for each seed.
func scramble(data []byte, seed uint64) {
	for i := range data {
		if i%8 == 0 {
			seed += 0x9e3779b97f4a7c15
			seed = (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
			seed = (seed ^ seed>>27) * 0x94d049bb133111eb
		}
		data[i] = byte(seed >> (i % 8 * 8))
	}
}

// farFuture is a due time beyond the end of any run.
const farFuture = "87600h"

// oneShot returns a job that is due once.
func oneShot(due string) *schedulerv1.Job { return &schedulerv1.Job{DueTime: &due} }

// instant returns t as a due time.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// hasJob reports whether the job is stored.
func (c *client) hasJob(ctx context.Context, app, name string) (bool, error) {
	_, err := c.stubs[0].GetJob(ctx, &schedulerv1.GetJobRequest{Name: name, Metadata: meta(app)})
	if status.Code(err) == codes.NotFound {
		return false, nil
	}
	return err == nil, err
}

// listJobs returns the stored jobs of the app.
func (c *client) listJobs(ctx context.Context, app string) ([]*schedulerv1.NamedJob, error) {
	resp, err := c.stubs[0].ListJobs(ctx, &schedulerv1.ListJobsRequest{Metadata: meta(app)})
	if err != nil {
		return nil, fmt.Errorf("list the jobs of %s: %w", app, err)
	}
	return resp.GetJobs(), nil
}

// countJobs counts the stored jobs of the app, of which there should be want, with distinct names.
func (c *client) countJobs(ctx context.Context, app string, want int) (Count, error) {
	jobs, err := c.listJobs(ctx, app)
	if err != nil {
		return Count{}, err
	}
	names := make(map[string]bool, len(jobs))
	for _, j := range jobs {
		names[j.GetName()] = true
	}
	distinct := min(len(names), want)
	return Count{
		Want: want, Distinct: distinct, Lost: want - distinct,
		Unknown: len(names) - distinct, Duplicates: len(jobs) - len(names),
	}, nil
}

// deleteJobs deletes the jobs of the app.
func (c *client) deleteJobs(ctx context.Context, app string) error {
	if _, err := c.stubs[0].DeleteByMetadata(ctx, &schedulerv1.DeleteByMetadataRequest{Metadata: meta(app)}); err != nil {
		return fmt.Errorf("delete the jobs of %s: %w", app, err)
	}
	return nil
}

// watch connects to each server as the app, and calls got with each trigger until ctx or a server
// ends a stream. It answers a trigger if got returns true. It returns nil if ctx or the server
// ended the stream without an error.
func (c *client) watch(ctx context.Context, app string, got func(name string, at time.Time) (answer bool)) error {
	g, ctx := errgroup.WithContext(ctx)
	for host := range c.hosts {
		g.Go(func() error { return c.watchOne(ctx, host, app, got) })
	}
	return g.Wait()
}

// watchOne is watch on one of the servers.
func (c *client) watchOne(
	ctx context.Context, host int, app string, got func(name string, at time.Time) (answer bool),
) error {
	return c.watchAnswering(ctx, host, app, false, got)
}

// watchAnswering is watchOne with an outcome: failed or handled.
func (c *client) watchAnswering(
	ctx context.Context, host int, app string, failed bool, got func(name string, at time.Time) (answer bool),
) error {
	stream, err := c.stubs[host].WatchJobs(ctx)
	if err != nil {
		return fmt.Errorf("watch the jobs of %s: %w", app, err)
	}
	hello := &schedulerv1.WatchJobsRequestInitial{
		AppId: app, Namespace: namespace,
		AcceptJobTypes: []schedulerv1.JobTargetType{schedulerv1.JobTargetType_JOB_TARGET_TYPE_JOB},
	}
	err = stream.Send(&schedulerv1.WatchJobsRequest{
		WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{Initial: hello},
	})
	result := new(schedulerv1.WatchJobsRequestResult) // success
	if failed {
		result.Status = schedulerv1.WatchJobsRequestResultStatus_FAILED
	}
	answer := &schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Result{Result: result}}
	for err == nil {
		var trigger *schedulerv1.WatchJobsResponse
		if trigger, err = stream.Recv(); err == nil && got(trigger.GetName(), time.Now()) {
			result.Id = trigger.GetId()
			err = stream.Send(answer)
		}
	}
	if errors.Is(err, io.EOF) || ctx.Err() != nil || status.Code(err) == codes.Canceled {
		return nil //nolint:nilerr // ctx or the server ended the stream
	}
	return fmt.Errorf("watch the jobs of %s: %w", app, err)
}

// hostsOf returns the addresses of the schedulers that a server announces to sidecars.
func hostsOf(ctx context.Context, c schedulerv1.SchedulerClient) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.WatchHosts(ctx, new(schedulerv1.WatchHostsRequest))
	if err != nil {
		return nil, err
	}
	m, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, h := range m.GetHosts() {
		hosts = append(hosts, h.GetAddress())
	}
	return hosts, nil
}

// requests returns a request per caller, for one-shot jobs of the app.
func (c *client) requests(callers int, app, due string) []*schedulerv1.ScheduleJobRequest {
	requests := make([]*schedulerv1.ScheduleJobRequest, callers)
	for i := range requests {
		requests[i] = c.request(app, oneShot(due))
	}
	return requests
}
