package scheduler

import (
	"context"
	"errors"
	"fmt"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// DeleteJob implements [schedulerv1.SchedulerServer]. It is no error if there is no such job.
func (s *Service) DeleteJob(
	ctx context.Context, req *schedulerv1.DeleteJobRequest,
) (*schedulerv1.DeleteJobResponse, error) {
	k, err := s.key(req.GetName(), req.GetMetadata())
	if err != nil {
		return nil, err
	}
	if err := s.jobs.Delete(ctx, k); err != nil && !errors.Is(err, job.ErrNotFound) {
		return nil, fmt.Errorf("delete %s: %w", k, err)
	}
	s.metrics.deleted.WithLabelValues(k.Target.Kind.String()).Inc()
	return new(schedulerv1.DeleteJobResponse), nil
}

// DeleteByMetadata removes all jobs of an app, or all reminders of an actor or an actor type. If
// the request says so, the id of the app or of the actor is a prefix.
func (s *Service) DeleteByMetadata(
	ctx context.Context, req *schedulerv1.DeleteByMetadataRequest,
) (*schedulerv1.DeleteByMetadataResponse, error) {
	p, err := wire.DeletePrefix(req)
	if err != nil {
		return nil, s.metrics.refused(err)
	}
	if err := s.jobs.DeleteAll(ctx, p); err != nil {
		return nil, fmt.Errorf("delete by metadata: %w", err)
	}
	s.metrics.bulkDeleted.WithLabelValues().Inc()
	return new(schedulerv1.DeleteByMetadataResponse), nil
}

// DeleteByNamePrefix removes the jobs of an app, or the reminders of an actor, whose names have the
// prefix.
func (s *Service) DeleteByNamePrefix(
	ctx context.Context, req *schedulerv1.DeleteByNamePrefixRequest,
) (*schedulerv1.DeleteByNamePrefixResponse, error) {
	p, err := wire.NamePrefix(req)
	if err != nil {
		return nil, s.metrics.refused(err)
	}
	if err := s.jobs.DeleteAll(ctx, p); err != nil {
		return nil, fmt.Errorf("delete by name prefix: %w", err)
	}
	s.metrics.bulkDeleted.WithLabelValues().Inc()
	return new(schedulerv1.DeleteByNamePrefixResponse), nil
}
