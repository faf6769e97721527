package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// scheduleFar has all callers schedule jobs of the app that are due in the far future.
func (b *bench) scheduleFar(ctx context.Context, t *measuredServer, app string) (loadResult, error) {
	return b.scheduleFarRound(ctx, t, app, 0)
}

// scheduleFarRound is scheduleFar with job names that no other round uses.
func (b *bench) scheduleFarRound(ctx context.Context, t *measuredServer, app string, round int) (loadResult, error) {
	requests := t.requests(b.cfg.Callers, app, farFuture)
	return b.runLoad(ctx, t.process, func(ctx context.Context, caller, n int) error {
		r := requests[caller]
		name := strconv.AppendInt(make([]byte, 0, 24), int64(round), 10)
		name = strconv.AppendInt(append(name, '-'), int64(caller), 10)
		r.Name = string(strconv.AppendInt(append(name, '-'), int64(n), 10))
		scramble(r.Job.Data.Value, uint64(caller)<<32+uint64(n))
		_, err := t.stubs[caller%len(t.stubs)].ScheduleJob(ctx, r)
		return err
	})
}

// fill schedules n one-shot jobs of the app. Their names are the numbers from 0.
func (b *bench) fill(ctx context.Context, t *measuredServer, app, due string, n int) error {
	return b.fillWith(ctx, t, app, 0, n, func(r *schedulerv1.ScheduleJobRequest, _ int) { r.Job.DueTime = &due })
}

// fillWith schedules n jobs of the app. Their names are the numbers from first on. It calls prepare
// with each request and its number from 0.
func (b *bench) fillWith(
	ctx context.Context, t *measuredServer, app string, first, n int, prepare func(r *schedulerv1.ScheduleJobRequest, i int),
) error {
	known, err := b.fillInBatches(ctx, t, app, first, n, prepare)
	if err != nil {
		return fmt.Errorf("schedule %d jobs in batches: %w", n, err)
	}
	if known {
		return nil
	}
	requests := t.requests(b.cfg.Callers, app, farFuture)
	err = b.inParallel(ctx, n, func(ctx context.Context, caller, i int) error {
		r := requests[caller]
		r.Name = strconv.Itoa(first + i)
		scramble(r.Job.Data.Value, uint64(first+i))
		prepare(r, i)
		_, err := t.stubs[caller%len(t.stubs)].ScheduleJob(ctx, r)
		return err
	})
	if err != nil {
		return fmt.Errorf("schedule %d jobs: %w", n, err)
	}
	return nil
}

// fillTime estimates how long it takes to schedule n jobs.
func fillTime(n int) time.Duration { return time.Duration(n) * 50 * time.Microsecond }
