package management

import (
	"context"
	"fmt"
	"math"

	"google.golang.org/protobuf/types/known/durationpb"

	"carillon/internal/engine"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

// GetJob implements [pb.ManagementServer].
func (s *Server) GetJob(ctx context.Context, r *pb.GetJobRequest) (*pb.Job, error) {
	full := r.GetView() == pb.GetJobRequest_FULL
	if full && !callerOf(ctx).may(verbPayload) {
		return nil, denied(verbPayload)
	}
	v, err := s.find(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	k := v.Key
	seen, _, err := s.look(ctx, []engine.JobView{v})
	if err != nil {
		return nil, err
	}
	if len(seen) == 0 {
		return nil, notFound(k)
	}
	j := seen[0].message()
	if data := seen[0].view.Spec.Data; full && data != nil {
		s.audit(ctx, verbPayload, jobName(k))
		j.Spec.Payload = &pb.Payload{TypeUrl: data.TypeURL, Value: data.Value}
	}
	return j, nil
}

// find returns the stored job of this name, if the caller of ctx may see it.
func (s *Server) find(ctx context.Context, name string) (engine.JobView, error) {
	k, err := parseJobName(name)
	if err != nil {
		return engine.JobView{}, err
	}
	c := callerOf(ctx)
	if !c.mayCover(k.Target.Namespace) {
		return engine.JobView{}, errScope
	}
	views, err := s.cfg.Jobs.Views(ctx, []job.Key{k})
	if err != nil {
		return engine.JobView{}, err
	}
	v := views[0]
	switch {
	case v.Spec == nil && !c.mayList(job.Selector{Kind: k.Target.Kind, Namespace: k.Target.Namespace, Target: k.Target.Name}):
		return engine.JobView{}, errScope // whether there is a reminder of another app is not told
	case v.Spec == nil:
		return engine.JobView{}, notFound(k)
	case !c.covers(&v):
		return engine.JobView{}, errScope
	}
	return v, nil
}

// notFound returns the error of a job that does not exist, or has ended meanwhile.
func notFound(k job.Key) error { return fmt.Errorf("%w: %s", job.ErrNotFound, jobName(k)) }

// A seenJob is a job and its situation.
type seenJob struct {
	view      engine.JobView
	situation situation
}

// look returns the jobs with their situations, and the nodes that do not answer. It asks the owners
// about jobs that are due. Jobs that are gone meanwhile are left out.
func (s *Server) look(ctx context.Context, views []engine.JobView) (seen []seenJob, unreachable []string, err error) {
	now := s.cfg.Now()
	var due []job.Key
	for _, v := range views {
		if !v.Due.After(now) {
			due = append(due, v.Key)
		}
	}
	progress := map[job.Key]engine.DueProgress{}
	latest := map[job.Key]engine.JobView{}
	if len(due) > 0 {
		var all []engine.DueProgress
		if all, unreachable, err = s.cfg.Progress(ctx, due); err != nil {
			return nil, nil, err
		}
		var doubtful []job.Key // they may have been settled since they were read
		for i, k := range due {
			progress[k] = all[i]
			if all[i].Holdup != engine.HoldupInFlight && all[i].Holdup != engine.HoldupUnreachable {
				doubtful = append(doubtful, k)
			}
		}
		again, err := s.cfg.Jobs.Views(ctx, doubtful)
		if err != nil {
			return nil, nil, err
		}
		for _, v := range again {
			latest[v.Key] = v
		}
	}
	for _, v := range views {
		if newer, ok := latest[v.Key]; ok {
			v = newer
		}
		if v.Spec != nil {
			seen = append(seen, seenJob{v, situationOf(&v, progress[v.Key], now)})
		}
	}
	return seen, unreachable, nil
}

// message returns the job for a client, without its payload.
func (j *seenJob) message() *pb.Job {
	v := &j.view
	m := &pb.Job{
		Name: jobName(v.Key), Kind: kindOf(v.Key), AppId: v.Spec.AppID, Spec: specOf(v.Spec), Words: scheduleOf(v.Spec).Words(),
		State: j.situation.state, Conditions: j.situation.conditions,
		DueTime: timestamp(v.Due), OccurrenceTime: timestamp(v.Occurrence), ExpireTime: timestamp(v.Spec.Plan.Until),
		SettledCount: v.State.Settled, FailedAttempts: v.State.Attempts, LastOccurrenceTime: timestamp(v.State.Last),
		Partition: uint32(v.Partition), Labels: v.Spec.Ext.LabelMap(), Description: descriptionOf(v.Spec),
	}
	switch plan := v.Spec.Plan; {
	case plan.Repeats > 0:
		m.RemainingCount = new(plan.Repeats - min(plan.Repeats, v.State.Settled))
	case v.Spec.Words.Schedule == nil:
		m.RemainingCount = new(uint32(1))
	}
	return m
}

// descriptionOf returns the description of a job; "" if it has none.
func descriptionOf(s *job.Spec) string {
	if s.Ext == nil {
		return ""
	}
	return s.Ext.Description
}

func kindOf(k job.Key) pb.Job_Kind {
	if k.Target.Kind == job.Actor {
		return pb.Job_REMINDER
	}
	return pb.Job_JOB
}

// specOf returns what was requested, without the payload.
func specOf(s *job.Spec) *pb.JobSpec {
	m := &pb.JobSpec{
		Schedule: s.Words.Schedule, DueTime: s.Words.DueTime, Repeats: s.Words.Repeats, Ttl: s.Words.TTL,
		FailurePolicy:  &pb.FailurePolicy{Drop: s.Policy.Drop, MaxRetries: s.Policy.MaxRetries},
		ConcurrencyKey: s.ConcurrencyKey,
	}
	if s.Policy.Interval != nil {
		m.FailurePolicy.Interval = durationpb.New(*s.Policy.Interval)
	}
	if s.Data != nil {
		m.PayloadBytes = new(uint32(min(len(s.Data.Value), math.MaxUint32)))
	}
	return m
}
