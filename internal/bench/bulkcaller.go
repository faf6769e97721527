package bench

import (
	"context"
	"strconv"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
)

// groupJobs is the number of jobs in a message, and groupCallers the number of concurrent callers.
const (
	groupJobs    = 500
	groupCallers = 8
)

// bulkCaller makes calls that schedule many jobs, one after the other.
type bulkCaller struct {
	client  bulkv1.BulkClient
	message *bulkv1.ScheduleJobsRequest
}

// bulkCallers returns callers with requests for jobs of the app. It returns none if the server does not
// support such calls: Dapr's does not.
func (b *bench) bulkCallers(ctx context.Context, t *measuredServer, app string) ([]*bulkCaller, error) {
	callers := make([]*bulkCaller, groupCallers)
	for i := range callers {
		c := &bulkCaller{client: bulkv1.NewBulkClient(t.conns[i%len(t.conns)]), message: new(bulkv1.ScheduleJobsRequest)}
		err := c.schedule(ctx)
		if status.Code(err) == codes.Unimplemented {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		c.message.Jobs = t.requests(groupJobs, app, farFuture)
		callers[i] = c
	}
	return callers, nil
}

// schedule schedules the jobs of the message, and checks that all are acknowledged.
func (c *bulkCaller) schedule(ctx context.Context) error {
	answer, err := c.client.ScheduleJobs(ctx, c.message)
	if err != nil {
		return err
	}
	for _, r := range answer.GetRefused() {
		return status.Error(codes.Code(r.GetCode()), r.GetMessage())
	}
	return nil
}

// fillInBatches is fillWith by calls with many jobs. It reports whether the server supports them.
func (b *bench) fillInBatches(
	ctx context.Context, t *measuredServer, app string, first, n int, prepare func(r *schedulerv1.ScheduleJobRequest, i int),
) (known bool, err error) {
	callers, err := b.bulkCallers(ctx, t, app)
	if err != nil || callers == nil {
		return false, err
	}
	few := *b
	few.cfg.Callers = groupCallers
	return true, few.inParallel(ctx, (n+groupJobs-1)/groupJobs, func(ctx context.Context, caller, group int) error {
		m := callers[caller].message
		from := group * groupJobs
		m.Jobs = m.Jobs[:min(groupJobs, n-from)]
		for j, r := range m.Jobs {
			i := from + j
			r.Name = strconv.Itoa(first + i)
			scramble(r.Job.Data.Value, uint64(first+i))
			prepare(r, i)
		}
		return callers[caller].schedule(ctx)
	})
}
