package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
)

// Many jobs at once: how many go together, and how many such groups are on their way.
const (
	groupJobs    = 500
	groupCallers = 8
)

// bulkCaller schedules groups of jobs one after the other.
type bulkCaller struct {
	client  bulkv1.BulkClient
	message *bulkv1.ScheduleJobsRequest
}

// bulkCallers returns callers with requests for jobs of the app. There are none if the server does not know such calls,
// as Dapr's does not.
func (b *bench) bulkCallers(ctx context.Context, t *target, app string) ([]*bulkCaller, error) {
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
		c.message.Jobs = t.requests(groupJobs, app, far)
		callers[i] = c
	}
	return callers, nil
}

// schedule schedules the jobs of the message, and checks that they are acknowledged.
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

// fillBulk is fillWith by calls with many jobs. It reports whether the server knows them.
func (b *bench) fillBulk(
	ctx context.Context, t *target, app string, first, n int, prepare func(r *schedulerv1.ScheduleJobRequest, i int),
) (known bool, err error) {
	callers, err := b.bulkCallers(ctx, t, app)
	if err != nil || callers == nil {
		return false, err
	}
	few := *b
	few.cfg.Callers = groupCallers
	return true, few.each(ctx, (n+groupJobs-1)/groupJobs, func(ctx context.Context, caller, group int) error {
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

// bulk measures scheduling by calls with many jobs: row 18.
func (b *bench) bulk(ctx context.Context) ([]RowResult, error) {
	return b.with(ctx, func(t *target) ([]RowResult, error) {
		echo, err := b.unary(ctx, NullEcho)
		if err != nil {
			return nil, err
		}
		defer func() { _ = echo.close() }()
		app, acknowledged := b.app(), 0
		callers, err := b.bulkCallers(ctx, t, app)
		if err != nil {
			return nil, err
		}
		if callers == nil {
			return nil, errors.New("the scheduler does not know carillon.v1.Bulk")
		}
		few := *b
		few.cfg.Callers = groupCallers
		var costs []float64
		s, err := b.between(ctx,
			func(ctx context.Context) (float64, error) {
				b.progress("unary echo")
				l, err := b.far(ctx, echo, b.app())
				return l.rate(), err
			},
			func(ctx context.Context) (float64, error) {
				b.progress("schedule many jobs in a call")
				round := len(costs)
				l, err := few.press(ctx, t.process, func(ctx context.Context, caller, n int) error {
					for i, r := range callers[caller].message.GetJobs() {
						r.Name = fmt.Sprintf("%d-%d-%d", round, caller, n*groupJobs+i)
						scramble(r.Job.Data.Value, uint64(caller)<<32+uint64(n*groupJobs+i))
					}
					return callers[caller].schedule(ctx)
				})
				acknowledged += l.total * groupJobs
				costs = append(costs, l.cost()/groupJobs)
				return l.rate() * groupJobs, err
			})
		if err != nil {
			return nil, err
		}
		b.progress("counting what is stored")
		count, err := t.stored(ctx, app, acknowledged)
		if err != nil {
			return nil, err
		}
		r := s.into(RowResult{
			Row: 18, Measure: fmt.Sprintf("durable schedule, %d jobs in a call", groupJobs), Unit: "/s", Bar: atLeast(1.9, 2.5),
			Count: &count, Detail: []Figure{{"server CPU", median(costs), "µs"}},
		}, "unary echo")
		return []RowResult{r}, t.tidy(ctx, app)
	})
}

// postBatches measures scheduling many jobs by one request to a sidecar: row 19. What is stored stays.
func (b *bench) postBatches(ctx context.Context, s *sidecar) (RowResult, error) {
	var rates, costs []float64
	bodies := make([][]byte, groupCallers)
	few := *b
	few.cfg.Callers = groupCallers
	job := jobBody(far, b.cfg.Payload)[1:]
	for range b.cfg.Sizes.Rounds {
		b.progress("schedule batches over HTTP")
		prefix := b.app()
		l, err := few.press(ctx, s.process, func(ctx context.Context, caller, n int) error {
			body := append(bodies[caller][:0], '[')
			for i := range groupJobs {
				if i > 0 {
					body = append(body, ',')
				}
				body = fmt.Appendf(body, `{"name":"%s-%d-%d",%s`, prefix, caller, n*groupJobs+i, job)
			}
			bodies[caller] = append(body, ']')
			return s.callers[caller].batch(ctx, s.app, bodies[caller])
		})
		if err != nil {
			return RowResult{}, err
		}
		rates, costs = append(rates, l.rate()*groupJobs), append(costs, l.cost()/groupJobs)
	}
	return RowResult{
		Row: 19, Measure: fmt.Sprintf("sidecar, HTTP batches of %d", groupJobs), Value: median(rates), Unit: "/s",
		Detail: []Figure{{"CPU of sidecar and scheduler", median(costs), "µs"}},
	}, nil
}

// batch schedules the jobs of a batch, and holds that all were acknowledged.
func (c *httpLoadCaller) batch(ctx context.Context, app string, body []byte) error {
	code, err := c.call(ctx, http.MethodPost, "/v1/jobs/batch", app, body)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("it answers %d", code)
	}
	if err != nil {
		return fmt.Errorf("POST a batch to %s: %w", c.host, err)
	}
	return nil
}

// bulkTakes is how long row 18 takes.
func bulkTakes(s Sizes) time.Duration {
	return 3*time.Second + time.Duration(2*s.Rounds+1)*(s.Window+warmUp)
}
