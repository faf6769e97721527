package bench

import (
	"context"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// memoryUse is the resident memory of a server, in bytes.
type memoryUse struct{ loaded, restarted float64 }

// memoryRow returns row 7 of a server in one state, with many and with few jobs stored.
func (b *bench) memoryRow(measure string, much, little float64) RowResult {
	r := RowResult{Row: 7, Measure: measure, Value: much, Unit: "B", Threshold: atMost(1.5, 1.1)}
	r.Baseline = &Baseline{Name: format(float64(b.cfg.Sizes.Few), "") + " stored", Value: little, Values: []float64{little}}
	if little > 0 {
		r.Ratio = much / little
	}
	return r
}

// storeFew repeatedly stores the same few jobs, until the server's buffers are full. It returns the
// server's memory, before and after a restart.
func (b *bench) storeFew(ctx context.Context, t *measuredServer, app string) (m memoryUse, err error) {
	b.progress("storing a little")
	if err := b.fillWith(ctx, t, app, 0, b.cfg.Sizes.Few, unchanged); err != nil {
		return m, err
	}
	for begin := time.Now(); time.Since(begin) < 2*b.cfg.Sizes.Window; {
		err := b.fillWith(ctx, t, app, 0, b.cfg.Sizes.Few, func(r *schedulerv1.ScheduleJobRequest, _ int) { r.Overwrite = true })
		if err != nil {
			return m, err
		}
	}
	if m.loaded, err = b.residentMemory(ctx, t); err != nil {
		return m, err
	}
	if _, _, err = b.restart(ctx, t); err != nil {
		return m, err
	}
	m.restarted, err = b.residentMemory(ctx, t)
	return m, err
}

// residentMemory returns the resident memory of the server after [Sizes].Rest.
func (b *bench) residentMemory(ctx context.Context, t *measuredServer) (float64, error) {
	err := until(ctx, time.Now().Add(b.cfg.Sizes.Rest))
	return t.process.rss(), err
}

// unchanged leaves a request as it is: due in the far future.
func unchanged(*schedulerv1.ScheduleJobRequest, int) {}
