package management

import (
	"context"
	"fmt"
	"time"

	"carillon/internal/engine"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

// ExplainJob implements [pb.ManagementServer].
func (s *Server) ExplainJob(ctx context.Context, r *pb.ExplainJobRequest) (*pb.JobExplanation, error) {
	v, err := s.find(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	all, unreachable, err := s.cfg.Progress(ctx, []job.Key{v.Key})
	if err != nil {
		return nil, err
	}
	at, now := all[0], s.cfg.Now()
	// It may have been settled since it was read.
	if at.Holdup != engine.HoldupInFlight && at.Holdup != engine.HoldupUnreachable {
		views, err := s.cfg.Jobs.Views(ctx, []job.Key{v.Key})
		if err != nil {
			return nil, err
		}
		if v = views[0]; v.Spec == nil {
			return nil, notFound(v.Key)
		}
	}
	reason, message := explainJob(&v, at, now)
	return &pb.JobExplanation{Reason: reason, Message: message, Gates: gates(&v, at, now), Unreachable: unreachable}, nil
}

// explainJob returns why a job runs now, or why not: the reason of the one condition that says so.
func explainJob(v *engine.JobView, at engine.DueProgress, now time.Time) (reason, message string) {
	conditions := situationOf(v, at, now).conditions
	c := conditions[0]
	if last := conditions[len(conditions)-1]; c.GetType() == pb.Job_RETRYING {
		c = last // an attempt that is due waits for something else
	}
	if v.Due.After(now) {
		return c.GetReason(), fmt.Sprintf("%s; the next attempt is due at %s", c.GetMessage(), instant(v.Due))
	}
	return c.GetReason(), c.GetMessage()
}
