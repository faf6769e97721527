package management

import (
	"context"

	"carillon/internal/job"
	pb "carillon/internal/managementv1"
	"carillon/internal/when"
)

// ExplainSchedule implements [pb.ManagementServer].
func (s *Server) ExplainSchedule(ctx context.Context, r *pb.ExplainScheduleRequest) (*pb.ScheduleExplanation, error) {
	if r.GetParent() != "" {
		selector, err := parseParent(r.GetParent())
		if err != nil {
			return nil, err
		}
		if !callerOf(ctx).mayList(selector) {
			return nil, errScope
		}
	}
	now := s.cfg.Now()
	if from := r.GetFromTime(); from != nil {
		if !from.IsValid() {
			return nil, invalid("fromTime", "it is no instant of the years 1 to 9999")
		}
		now = from.AsTime()
	}
	spec := job.Spec{Words: when.Words{Schedule: r.Schedule, DueTime: r.DueTime, TTL: r.Ttl, Repeats: r.Repeats}}
	if err := spec.Resolve(now); err != nil {
		return nil, timesError(err)
	}
	schedule := scheduleOf(&spec)
	return &pb.ScheduleExplanation{
		Words: schedule.Words(), Occurrences: occurrences(schedule, 0, now, r.GetCount()), Warnings: requestWarnings(&spec, now),
	}, nil
}
