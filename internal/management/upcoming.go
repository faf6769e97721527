package management

import (
	"context"
	"time"

	"carillon/internal/engine"
	pb "carillon/internal/managementv1"
)

// ListUpcomingOccurrences implements [pb.ManagementServer].
func (s *Server) ListUpcomingOccurrences(ctx context.Context, r *pb.ListUpcomingOccurrencesRequest) (*pb.ScheduleExplanation, error) {
	v, err := s.find(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	now := s.cfg.Now()
	last := v.State.Last
	if v.State.Settled == 0 {
		last = now
	}
	schedule := scheduleOf(v.Spec)
	return &pb.ScheduleExplanation{
		Words: schedule.Words(), Occurrences: occurrences(schedule, v.State.Settled, last, r.GetCount()), Warnings: storedWarnings(&v, now),
	}, nil
}

// storedWarnings returns the warnings about the schedule of a stored job. That its first due time
// has passed is not among them, as it is if a job is requested.
func storedWarnings(v *engine.JobView, now time.Time) []*pb.ScheduleWarning {
	schedule := scheduleOf(v.Spec)
	schedule.HasDueTime = schedule.HasDueTime && v.Spec.Plan.First.After(now)
	return warnings(schedule, now)
}
