package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// namespace is the namespace of all jobs here.
const namespace = "default"

// client is connections to one server, or to all servers of a cluster.
type client struct {
	conns   []*grpc.ClientConn
	on      []schedulerv1.SchedulerClient // one to a connection
	hosts   int                           // how many servers there are; the first connections are to one each
	servers []string                      // their addresses
	payload int
}

// dial returns a client of the servers at the addresses.
func (b *bench) dial(addresses ...string) (*client, error) {
	c := &client{payload: b.cfg.Payload, hosts: len(addresses), servers: addresses}
	for i := range max(b.cfg.Connections, len(addresses)) {
		address := addresses[i%len(addresses)]
		conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connect to %s: %w", address, err), c.close())
		}
		c.conns, c.on = append(c.conns, conn), append(c.on, schedulerv1.NewSchedulerClient(conn))
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

// meta returns who a request about jobs of the app is from.
func meta(app string) *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{AppId: app, Namespace: namespace, Target: &schedulerv1.JobTargetMetadata{
		Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)},
	}}
}

// request returns a request for a job of the app, but for its name. A caller may send it again and again.
func (c *client) request(app string, j *schedulerv1.Job) *schedulerv1.ScheduleJobRequest {
	j.Data = &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.BytesValue", Value: make([]byte, c.payload)}
	scramble(j.Data.Value, 0)
	return &schedulerv1.ScheduleJobRequest{Job: j, Metadata: meta(app)}
}

// scramble fills data with bytes that do not compress, and differ for each seed.
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

// far is a due time beyond the end of any run.
const far = "87600h"

// oneShot returns a job that is due once.
func oneShot(due string) *schedulerv1.Job { return &schedulerv1.Job{DueTime: &due} }

// instant returns t as a due time.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// holds reports whether the job is stored.
func (c *client) holds(ctx context.Context, app, name string) (bool, error) {
	_, err := c.on[0].GetJob(ctx, &schedulerv1.GetJobRequest{Name: name, Metadata: meta(app)})
	if status.Code(err) == codes.NotFound {
		return false, nil
	}
	return err == nil, err
}

// list returns the jobs that are stored for the app.
func (c *client) list(ctx context.Context, app string) ([]*schedulerv1.NamedJob, error) {
	resp, err := c.on[0].ListJobs(ctx, &schedulerv1.ListJobsRequest{Metadata: meta(app)})
	if err != nil {
		return nil, fmt.Errorf("list the jobs of %s: %w", app, err)
	}
	return resp.GetJobs(), nil
}

// stored checks that exactly want jobs with distinct names are stored for the app.
func (c *client) stored(ctx context.Context, app string, want int) (Count, error) {
	jobs, err := c.list(ctx, app)
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

// forget deletes the jobs of the app.
func (c *client) forget(ctx context.Context, app string) error {
	if _, err := c.on[0].DeleteByMetadata(ctx, &schedulerv1.DeleteByMetadataRequest{Metadata: meta(app)}); err != nil {
		return fmt.Errorf("delete the jobs of %s: %w", app, err)
	}
	return nil
}

// watch connects to each server as the app, and calls got with each trigger until ctx or a server ends its stream. A
// trigger is answered if got says so. It returns nil when ctx has ended it, or the server in good order.
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
	return c.answer(ctx, host, app, false, got)
}

// answer is watchOne of an app that says of each trigger that it failed, or that it was handled.
func (c *client) answer(
	ctx context.Context, host int, app string, failed bool, got func(name string, at time.Time) (answer bool),
) error {
	stream, err := c.on[host].WatchJobs(ctx)
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
		return nil //nolint:nilerr // it was asked to end
	}
	return fmt.Errorf("watch the jobs of %s: %w", app, err)
}

// withTriggers asks the null for that many triggers on a stream.
func withTriggers(ctx context.Context, triggers, bytes int) context.Context {
	return metadata.AppendToOutgoingContext(ctx, triggersHeader, strconv.Itoa(triggers), triggerBytesHeader, strconv.Itoa(bytes))
}
