package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// ScheduleJob implements [schedulerv1.SchedulerServer].
func (s *Service) ScheduleJob(
	ctx context.Context, req *schedulerv1.ScheduleJobRequest,
) (*schedulerv1.ScheduleJobResponse, error) {
	r, err := s.request(s.cfg.Now(), req)
	if err != nil {
		return nil, err
	}
	if err := s.jobs.Schedule(ctx, r.Key, r.Spec, r.Overwrite); err != nil {
		return nil, s.notStored(r.Key, err)
	}
	s.metrics.created.WithLabelValues(r.Key.Target.Kind.String()).Inc()
	if !wire.IsFromSidecar(ctx) { // our sidecar warns its callers, and logs itself
		s.logWarnings(ctx, &r)
	}
	return new(schedulerv1.ScheduleJobResponse), nil
}

// logWarnings logs the warnings about a job that came from a sidecar of Dapr, which passes none on.
func (s *Service) logWarnings(ctx context.Context, r *job.Request) {
	for _, d := range r.Spec.Words.Warnings(s.cfg.Now()) {
		s.warnings.Warn(ctx, append(r.Key.Attrs(), slog.String("warning", d.String()))...)
	}
}

// request returns the job that req schedules, resolved as of now.
func (s *Service) request(now time.Time, req *schedulerv1.ScheduleJobRequest) (job.Request, error) {
	k, err := wire.Key(req.GetName(), req.GetMetadata())
	if err != nil {
		return job.Request{}, s.metrics.refused(err)
	}
	spec, err := resolve(now, k, req)
	if err != nil {
		s.metrics.createdFailed.WithLabelValues(k.Target.Kind.String()).Inc()
		return job.Request{}, err
	}
	return job.Request{Key: k, Spec: spec, Overwrite: req.GetOverwrite()}, nil
}

// resolve returns the spec of the job that req schedules, resolved as of now. It also checks k.
func resolve(now time.Time, k job.Key, req *schedulerv1.ScheduleJobRequest) (job.Spec, error) {
	if err := k.Check(); err != nil {
		return job.Spec{}, err
	}
	spec, err := wire.Spec(req.GetJob(), req.GetMetadata())
	if err != nil {
		return job.Spec{}, err
	}
	err = spec.Resolve(now)
	return spec, err
}

// notStored counts a job that was not stored, and returns err with the context for the client.
func (s *Service) notStored(k job.Key, err error) error {
	s.metrics.createdFailed.WithLabelValues(k.Target.Kind.String()).Inc()
	if errors.Is(err, job.ErrExists) {
		return fmt.Errorf("%w: '%s'", job.ErrExists, k)
	}
	return fmt.Errorf("schedule %s: %w", k, err)
}
