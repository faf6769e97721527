package wire

import (
	"fmt"
	"slices"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
)

// Targets returns what the sidecar that sent i serves: its own app's jobs, the reminders of the actor types that it
// lists, or both, as far as it accepts them; possibly nothing. The error is ready for a client (scheduler
// specification §2.1).
func Targets(i *schedulerv1.WatchJobsRequestInitial) ([]job.Target, error) {
	if err := CheckCaller(i.GetNamespace(), i.GetAppId()); err != nil {
		return nil, err
	}
	accepted := i.GetAcceptJobTypes()
	seen := make(map[schedulerv1.JobTargetType]bool, len(accepted))
	for _, kind := range accepted {
		if seen[kind] {
			return nil, status.Errorf(codes.Unknown, "duplicate target type specified: %s", kind)
		}
		seen[kind] = true
	}
	var targets []job.Target
	if len(accepted) == 0 || seen[schedulerv1.JobTargetType_JOB_TARGET_TYPE_JOB] {
		targets = append(targets, job.Target{Kind: job.App, Namespace: i.GetNamespace(), Name: i.GetAppId()})
	}
	if len(accepted) == 0 || seen[schedulerv1.JobTargetType_JOB_TARGET_TYPE_ACTOR_REMINDER] {
		targets = slices.Grow(targets, len(i.GetActorTypes()))
		for _, actor := range i.GetActorTypes() {
			targets = append(targets, job.Target{Kind: job.Actor, Namespace: i.GetNamespace(), Name: actor})
		}
	}
	return targets, nil
}

// Limit returns what l limits: the triggers of an actor type, all of them or those with one concurrency key. A limit
// that names no actor type limits nothing (scheduler specification §2.6).
func Limit(namespace string, l *schedulerv1.ConcurrencyLimit) (target job.Target, key *string, ok bool) {
	if l.GetActor() == nil {
		return job.Target{}, nil, false
	}
	return job.Target{Kind: job.Actor, Namespace: namespace, Name: l.GetActor().GetType()}, l.Name, true
}

// Response returns t as the message that a stream sends under the given number.
func Response(id uint64, t job.Trigger) *schedulerv1.WatchJobsResponse {
	return &schedulerv1.WatchJobsResponse{
		Id:       id,
		Name:     t.Key.Name,
		Data:     dataTo(t.Data),
		Metadata: Metadata(t.Key, t.AppID, t.ConcurrencyKey),
	}
}

// Trigger returns the trigger that r carries. Dapr's message does not say when it was due, nor which attempt it is.
func Trigger(r *schedulerv1.WatchJobsResponse) (job.Trigger, error) {
	m := r.GetMetadata()
	k, err := Key(r.GetName(), m)
	if err != nil {
		return job.Trigger{}, fmt.Errorf("trigger %d: %w", r.GetId(), err)
	}
	return job.Trigger{Key: k, AppID: m.GetAppId(), ConcurrencyKey: concurrencyKeyFrom(m), Data: dataFrom(r.GetData())}, nil
}

// Outcome returns how an attempt ended. A status that we do not know is a failure: silence would hold the job for ever.
func Outcome(s schedulerv1.WatchJobsRequestResultStatus) job.Outcome {
	if s == schedulerv1.WatchJobsRequestResultStatus_SUCCESS {
		return job.Handled
	}
	return job.Failed
}

// Result returns the message that reports how the attempt with the given number ended. A lost one has none: its
// stream is gone, which says it.
func Result(id uint64, o job.Outcome) *schedulerv1.WatchJobsRequest {
	s := schedulerv1.WatchJobsRequestResultStatus_FAILED
	if o == job.Handled {
		s = schedulerv1.WatchJobsRequestResultStatus_SUCCESS
	}
	result := &schedulerv1.WatchJobsRequestResult{Id: id, Status: s}
	return &schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Result{Result: result}}
}
