package scheduler

import (
	"context"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	protobuf "google.golang.org/protobuf/proto"

	"carillon/internal/job"
)

// checkQuota returns the error of a request beyond the quota of its namespace, or nil. Rates use
// the monotonic clock, not [Config.Now].
func (s *Service) checkQuota(ctx context.Context, req any) error {
	r, ok := req.(interface {
		GetMetadata() *schedulerv1.JobMetadata
	})
	if !ok {
		return nil
	}
	now, namespace := time.Now(), r.GetMetadata().GetNamespace()
	if len(namespace) > job.MaxName { // no job can have it, so that it is not tracked
		return nil
	}
	j, ok := req.(*schedulerv1.ScheduleJobRequest)
	if !ok {
		return s.quotas.allow(ctx, now, namespace, 1)
	}
	if err := s.quotas.allow(ctx, now, namespace, callsFor(protobuf.Size(j))); err != nil {
		return err
	}
	return s.quotas.allowJob(ctx, now, namespace, j)
}
