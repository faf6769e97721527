package wire

import (
	"fmt"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"carillon/internal/job"
	"carillon/internal/when"
)

// Key returns the key of the job with these metadata and this name. It does not check the name;
// [job.Key.Check] does. The error is ready for a client (scheduler specification §1.3, steps 2 and
// 3).
func Key(name string, m *schedulerv1.JobMetadata) (job.Key, error) {
	if err := CheckCaller(m.GetNamespace(), m.GetAppId()); err != nil {
		return job.Key{}, err
	}
	k := job.Key{Name: name}
	switch target := m.GetTarget().GetType().(type) {
	case *schedulerv1.JobTargetMetadata_Job:
		k.Target = job.Target{Kind: job.App, Namespace: m.GetNamespace(), Name: m.GetAppId()}
	case *schedulerv1.JobTargetMetadata_Actor:
		k.Target = job.Target{Kind: job.Actor, Namespace: m.GetNamespace(), Name: target.Actor.GetType()}
		k.ActorID = target.Actor.GetId()
	default:
		return job.Key{}, &job.InvalidError{Field: "target", Reason: "unknown job type: <nil>"}
	}
	return k, nil
}

// CheckCaller returns an error for a request without a namespace or an app id.
func CheckCaller(namespace, appID string) error {
	if namespace == "" || appID == "" {
		return status.Error(codes.InvalidArgument, "missing namespace or appID in request")
	}
	return nil
}

// Metadata returns the metadata of a job, which its triggers carry. It is the inverse of [Key].
func Metadata(k job.Key, appID string, concurrencyKey *string) *schedulerv1.JobMetadata {
	m := &schedulerv1.JobMetadata{
		AppId:          appID,
		Namespace:      k.Target.Namespace,
		Target:         new(schedulerv1.JobTargetMetadata),
		ConcurrencyKey: concurrencyKey,
	}
	if k.Target.Kind == job.Actor {
		actor := &schedulerv1.TargetActorReminder{Id: k.ActorID, Type: k.Target.Name}
		m.Target.Type = &schedulerv1.JobTargetMetadata_Actor{Actor: actor}
	} else {
		m.Target.Type = &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)}
	}
	return m
}

// Spec returns the spec of a job, without a resolved plan. The error is ready for a client.
func Spec(j *schedulerv1.Job, m *schedulerv1.JobMetadata) (job.Spec, error) {
	if j == nil {
		return job.Spec{}, status.Error(codes.InvalidArgument, "missing job in request")
	}
	policy, err := policyFrom(j.GetFailurePolicy())
	if err != nil {
		return job.Spec{}, err
	}
	return job.Spec{
		Words:          when.Words{Schedule: j.Schedule, DueTime: j.DueTime, TTL: j.Ttl, Repeats: j.Repeats},
		Policy:         policy,
		Data:           dataFrom(j.GetData()),
		AppID:          m.GetAppId(),
		ConcurrencyKey: concurrencyKeyFrom(m),
	}, nil
}

// Job returns a spec as its user wrote it. It is the inverse of [Spec], but a failure policy is
// always set.
func Job(s job.Spec) *schedulerv1.Job {
	j := &schedulerv1.Job{Data: dataTo(s.Data), FailurePolicy: policyTo(s.Policy)}
	setWords(j, s.Words)
	return j
}

func setWords(j *schedulerv1.Job, w when.Words) {
	j.Schedule, j.DueTime, j.Ttl, j.Repeats = w.Schedule, w.DueTime, w.TTL, w.Repeats
}

func policyFrom(p *commonv1.JobFailurePolicy) (job.Policy, error) {
	switch choice := p.GetPolicy().(type) {
	case *commonv1.JobFailurePolicy_Drop:
		return job.Policy{Drop: true}, nil
	case *commonv1.JobFailurePolicy_Constant:
		if choice.Constant == nil {
			return job.Policy{}, nil
		}
		interval, err := intervalFrom(choice.Constant.GetInterval())
		if err != nil {
			return job.Policy{}, err
		}
		return job.Policy{Interval: interval, MaxRetries: choice.Constant.MaxRetries}, nil
	default:
		return job.DefaultPolicy(), nil
	}
}

// intervalFrom returns an error for a duration beyond the 292 years of [time.Duration]; protobuf
// has 10,000.
func intervalFrom(d *durationpb.Duration) (*time.Duration, error) {
	if d == nil {
		return nil, nil
	}
	interval := d.AsDuration()
	if again := durationpb.New(interval); again.GetSeconds() != d.GetSeconds() || again.GetNanos() != d.GetNanos() {
		return nil, &job.InvalidError{Field: "failure_policy", Reason: fmt.Sprintf(
			"%sfailure policy interval is out of range: %d seconds and %d nanoseconds",
			job.InvalidJob, d.GetSeconds(), d.GetNanos())}
	}
	return &interval, nil
}

func policyTo(p job.Policy) *commonv1.JobFailurePolicy {
	if p.Drop {
		drop := new(commonv1.JobFailurePolicyDrop)
		return &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Drop{Drop: drop}}
	}
	constant := &commonv1.JobFailurePolicyConstant{MaxRetries: p.MaxRetries}
	if p.Interval != nil {
		constant.Interval = durationpb.New(*p.Interval)
	}
	return &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{Constant: constant}}
}

func dataFrom(a *anypb.Any) *job.Data {
	if a == nil {
		return nil
	}
	return &job.Data{TypeURL: a.GetTypeUrl(), Value: a.GetValue()}
}

func dataTo(d *job.Data) *anypb.Any {
	if d == nil {
		return nil
	}
	return &anypb.Any{TypeUrl: d.TypeURL, Value: d.Value}
}

func concurrencyKeyFrom(m *schedulerv1.JobMetadata) *string {
	if m == nil {
		return nil
	}
	return m.ConcurrencyKey
}
