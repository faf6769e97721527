package wire

import (
	"fmt"
	"slices"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
)

// Targets returns the targets that a sidecar serves: its own app, the actor types that it lists, or
// both, as far as it accepts their jobs; possibly none. The error is ready for a client (scheduler
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

// ConcurrencyLimit returns the actor type that l limits, and the concurrency key, or nil for all
// triggers of the type. A limit without an actor type has no effect (scheduler specification §2.6).
func ConcurrencyLimit(namespace string, l *schedulerv1.ConcurrencyLimit) (target job.Target, key *string, ok bool) {
	if l.GetActor() == nil {
		return job.Target{}, nil, false
	}
	return job.Target{Kind: job.Actor, Namespace: namespace, Name: l.GetActor().GetType()}, l.Name, true
}

// Response returns the message of a stream that carries t under this number.
func Response(id uint64, t job.Trigger) *schedulerv1.WatchJobsResponse {
	return &schedulerv1.WatchJobsResponse{
		Id:       id,
		Name:     t.Key.Name,
		Data:     dataTo(t.Data),
		Metadata: Metadata(t.Key, t.AppID, t.ConcurrencyKey),
	}
}

// Trigger returns the trigger that r carries. Its due time and attempt are not part of Dapr's
// message.
func Trigger(r *schedulerv1.WatchJobsResponse) (job.Trigger, error) {
	m := r.GetMetadata()
	k, err := Key(r.GetName(), m)
	if err != nil {
		return job.Trigger{}, fmt.Errorf("trigger %d: %w", r.GetId(), err)
	}
	return job.Trigger{Key: k, AppID: m.GetAppId(), ConcurrencyKey: concurrencyKeyFrom(m), Data: dataFrom(r.GetData())}, nil
}

// Outcome returns the outcome of an attempt. An unknown status is a failure: the attempt must end.
func Outcome(s schedulerv1.WatchJobsRequestResultStatus) job.Outcome {
	if s == schedulerv1.WatchJobsRequestResultStatus_SUCCESS {
		return job.Handled
	}
	return job.Failed
}

// Result returns the message that reports the outcome of the attempt with this number. There is
// none for a lost attempt, because its stream has ended.
func Result(id uint64, o job.Outcome) *schedulerv1.WatchJobsRequest {
	s := schedulerv1.WatchJobsRequestResultStatus_FAILED
	if o == job.Handled {
		s = schedulerv1.WatchJobsRequestResultStatus_SUCCESS
	}
	result := &schedulerv1.WatchJobsRequestResult{Id: id, Status: s}
	return &schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Result{Result: result}}
}
