package scheduler

import (
	"context"
	"fmt"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/wire"
)

// DeleteByMetadata removes all jobs of an app, or all reminders of an actor or an actor type; by the beginning of the
// app's or the actor's id, if the request says so.
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

// DeleteByNamePrefix removes the jobs of an app or the reminders of an actor by the beginning of their names.
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
