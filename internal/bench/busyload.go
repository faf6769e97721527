package bench

import (
	"context"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// manyApps is how many apps share the busy load when it is not all of one app.
const manyApps = 50

// busyLoad is jobs that are due more often than the server can deliver them.
type busyLoad struct {
	name   string
	every  string // the interval of each job; empty: due once
	answer string // what the apps answer
}

// busyLoads returns the loads of row 20. A failed job is retried after retryInterval, without end.
func busyLoads() []busyLoad {
	return []busyLoad{
		{"jobs at @every 1s", "@every 1s", AnswerSuccess},
		{"jobs at @every 100ms", "@every 100ms", AnswerSuccess},
		{"jobs that fail, retried after 10 ms", "", AnswerFailed},
	}
}

const retryInterval = 10 * time.Millisecond

// serveBusy starts the busy apps. It returns nil if there are none.
func (b *bench) serveBusy(ctx context.Context, t *measuredServer, load busyLoad, apps int, due time.Time) (*runningApps, error) {
	if apps == 0 {
		return nil, nil //nolint:nilnil // there are none
	}
	return b.startApps(ctx, AppsConfig{
		Schedulers: t.servers, Prefix: b.newApp(), Apps: apps, Jobs: b.cfg.Sizes.Busy, Due: due.Truncate(time.Millisecond), Answer: load.answer,
	})
}

// fillBusy schedules the jobs of the busy apps. All of them are first due at the same instant.
func (b *bench) fillBusy(ctx context.Context, t *measuredServer, load busyLoad, cfg AppsConfig) error {
	of := make([]*schedulerv1.JobMetadata, cfg.Apps)
	for i := range of {
		of[i] = meta(cfg.ID(i))
	}
	due := instant(cfg.Due)
	var retry *commonv1.JobFailurePolicy
	if load.answer == AnswerFailed {
		retry = &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{
			Constant: &commonv1.JobFailurePolicyConstant{Interval: durationpb.New(retryInterval)},
		}}
	}
	return b.fillWith(ctx, t, cfg.Prefix, 0, cfg.Jobs, func(r *schedulerv1.ScheduleJobRequest, i int) {
		r.Metadata, r.Overwrite = of[i%cfg.Apps], true
		r.Job.DueTime, r.Job.FailurePolicy = &due, retry
		if load.every != "" {
			r.Job.Schedule = &load.every
		}
	})
}
