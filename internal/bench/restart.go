package bench

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// restart lets a job fall due for an app that is not connected, kills the server and starts it
// again. It returns how long after that start the app, now connected, got the trigger.
func (b *bench) restart(ctx context.Context, t *measuredServer) (time.Duration, Count, error) {
	b.progress("restarting")
	app, l := b.newApp(), newLedger(1)
	due := time.Now().Add(100 * time.Millisecond)
	if err := b.fill(ctx, t, app, instant(due), 1); err != nil {
		return 0, Count{}, err
	}
	if err := until(ctx, due.Add(b.cfg.Sizes.Linger)); err != nil {
		return 0, Count{}, err
	}
	if err := t.close(); err != nil {
		return 0, Count{}, err
	}
	t.child.kill()
	begin := time.Now()
	again, err := b.startScheduler(ctx, t.dir, "0")
	if err != nil {
		t.conns = nil // already closed
		return 0, Count{}, err
	}
	*t = *again
	var took time.Duration
	err = b.receive(ctx, t, app, l, func(ctx context.Context) error {
		if err := l.wait(ctx, begin, startTime); err != nil {
			return err
		}
		_, at := l.last()
		took = at.Sub(begin)
		return until(ctx, time.Now().Add(b.cfg.Sizes.Linger))
	})
	return took, l.count(expectation{jobs: 1, times: 1, due: func(int, int) time.Time { return due }}), err
}

// restartAfterDeletion deletes all jobs and restarts the server at once: its due index then begins
// with deleted entries.
func (b *bench) restartAfterDeletion(ctx context.Context, t *measuredServer, app, what string) (RowResult, error) {
	b.progress("deleting what is stored")
	begin := time.Now()
	if err := t.deleteJobs(ctx, app); err != nil {
		return RowResult{}, err
	}
	deleted := time.Since(begin)
	first, count, err := b.restart(ctx, t)
	return RowResult{
		Row: 8, Measure: what + " and deleted: killed, then started, to the first trigger that was due", Value: first.Seconds(),
		Unit: "s", Threshold: atMost(1, 0.3), Count: &count, Detail: []Figure{{"deleting them", deleted.Seconds(), "s"}},
	}, err
}

// countSample gets some of the n jobs of the app, spread over all names, and counts those that
// exist.
func (b *bench) countSample(ctx context.Context, t *measuredServer, app string, n int) (Count, error) {
	some := min(n, b.cfg.Sizes.Few)
	var there atomic.Int64
	err := b.inParallel(ctx, some, func(ctx context.Context, caller, i int) error {
		name := strconv.Itoa(i * (n / some))
		_, err := t.stubs[caller%len(t.stubs)].GetJob(ctx, &schedulerv1.GetJobRequest{Name: name, Metadata: meta(app)})
		if err == nil {
			there.Add(1)
		}
		if status.Code(err) == codes.NotFound {
			return nil
		}
		return err
	})
	return Count{Want: some, Distinct: int(there.Load()), Lost: some - int(there.Load())}, err
}
