package bench

import (
	"context"
	"fmt"
)

// postBatches measures scheduling many jobs in one request to a sidecar: row 19. It does not delete
// the jobs.
func (b *bench) postBatches(ctx context.Context, s *sidecar) (RowResult, error) {
	var rates, costs []float64
	bodies := make([][]byte, groupCallers)
	few := *b
	few.cfg.Callers = groupCallers
	job := jobBody(farFuture, b.cfg.Payload)[1:]
	for range b.cfg.Sizes.Rounds {
		b.progress("schedule batches over HTTP")
		prefix := b.newApp()
		l, err := few.runLoad(ctx, s.process, func(ctx context.Context, caller, n int) error {
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
