package wire_test

import (
	"math"
	"testing"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"carillon/internal/job"
	"carillon/internal/wire"
)

func jobTarget() *schedulerv1.JobTargetMetadata {
	return &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)}}
}

func actorTarget(kind, id string) *schedulerv1.JobTargetMetadata {
	actor := &schedulerv1.TargetActorReminder{Type: kind, Id: id}
	return &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Actor{Actor: actor}}
}

func constant(interval *durationpb.Duration, retries *uint32) *commonv1.JobFailurePolicy {
	c := &commonv1.JobFailurePolicyConstant{Interval: interval, MaxRetries: retries}
	return &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{Constant: c}}
}

func drop() *commonv1.JobFailurePolicy {
	d := new(commonv1.JobFailurePolicyDrop)
	return &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Drop{Drop: d}}
}

func TestTargetSelectsKind(t *testing.T) {
	app := job.Target{Kind: job.App, Namespace: "ns", Name: "my||app"}
	actor := job.Target{Kind: job.Actor, Namespace: "ns", Name: "type"}
	for name, tc := range map[string]struct {
		target *schedulerv1.JobTargetMetadata
		want   job.Key
	}{
		"job":             {jobTarget(), job.Key{Target: app, Name: "my||job@name"}},
		"job, no message": {&schedulerv1.JobTargetMetadata{Type: new(schedulerv1.JobTargetMetadata_Job)}, job.Key{Target: app, Name: "my||job@name"}},
		"actor":           {actorTarget("type", "a||b"), job.Key{Target: actor, ActorID: "a||b", Name: "my||job@name"}},
		"actor, no message": {
			&schedulerv1.JobTargetMetadata{Type: new(schedulerv1.JobTargetMetadata_Actor)},
			job.Key{Target: job.Target{Kind: job.Actor, Namespace: "ns"}, Name: "my||job@name"},
		},
	} {
		m := &schedulerv1.JobMetadata{Namespace: "ns", AppId: "my||app", Target: tc.target}
		got, err := wire.Key("my||job@name", m)
		if err != nil || got != tc.want {
			t.Errorf("%s: Key = %+v, %v; want %+v", name, got, err, tc.want)
		}
	}
}

func TestRequestNeedsCallerAndTarget(t *testing.T) {
	for name, tc := range map[string]struct {
		m    *schedulerv1.JobMetadata
		code codes.Code
		text string
	}{
		"no metadata":  {nil, codes.InvalidArgument, "missing namespace or appID in request"},
		"no namespace": {&schedulerv1.JobMetadata{AppId: "app", Target: jobTarget()}, codes.InvalidArgument, "missing namespace or appID in request"},
		"no app id":    {&schedulerv1.JobMetadata{Namespace: "ns"}, codes.InvalidArgument, "missing namespace or appID in request"},
		"no target":    {&schedulerv1.JobMetadata{Namespace: "ns", AppId: "app"}, codes.Unknown, "unknown job type: <nil>"},
		"unset target": {&schedulerv1.JobMetadata{Namespace: "ns", AppId: "app", Target: new(schedulerv1.JobTargetMetadata)}, codes.Unknown, "unknown job type: <nil>"},
	} {
		_, err := wire.Key("name", tc.m)
		wantStatus(t, name, err, tc.code, tc.text)
	}
}

func wantStatus(t *testing.T, name string, err error, code codes.Code, text string) {
	t.Helper()
	got := status.Convert(wire.Status(err))
	if got.Code() != code || got.Message() != text {
		t.Errorf("%s: %v %q, want %v %q", name, got.Code(), got.Message(), code, text)
	}
}

func TestJobIsReturnedAsScheduled(t *testing.T) {
	for name, j := range map[string]*schedulerv1.Job{
		"everything": {
			Schedule: new("@every 1h"), DueTime: new("PT10S"), Ttl: new("3h"), Repeats: new(uint32(7)),
			Data:          &anypb.Any{TypeUrl: "type.googleapis.com/x", Value: []byte{0, 0xff, 1}},
			FailurePolicy: constant(durationpb.New(-time.Second), new(uint32(0))),
		},
		"present and empty": {
			Schedule: new(""), DueTime: new(""), Ttl: new(""), Repeats: new(uint32(0)),
			Data: new(anypb.Any), FailurePolicy: constant(nil, nil),
		},
		"untyped data":     {DueTime: new("1s"), Data: &anypb.Any{Value: []byte("x")}, FailurePolicy: drop()},
		"longest interval": {FailurePolicy: constant(durationpb.New(math.MaxInt64), nil)},
		"lowest interval":  {FailurePolicy: constant(durationpb.New(math.MinInt64), nil)},
	} {
		m := &schedulerv1.JobMetadata{Namespace: "ns", AppId: "app", Target: jobTarget(), ConcurrencyKey: new("key")}
		s, err := wire.Spec(j, m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(j, wire.Job(s), protocmp.Transform()); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		if s.AppID != "app" || *s.ConcurrencyKey != "key" {
			t.Errorf("%s: app id %q, concurrency key %q", name, s.AppID, *s.ConcurrencyKey)
		}
	}
}

func TestAbsentFieldsStayAbsentExceptPolicy(t *testing.T) {
	for name, policy := range map[string]*commonv1.JobFailurePolicy{"absent": nil, "without a choice": {}} {
		s, err := wire.Spec(&schedulerv1.Job{FailurePolicy: policy}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(job.Spec{Policy: job.DefaultPolicy()}, s, cmpopts.IgnoreFields(job.Spec{}, "Plan")); diff != "" {
			t.Errorf("policy %s: -want +got\n%s", name, diff)
		}
		want := &schedulerv1.Job{FailurePolicy: constant(durationpb.New(time.Second), new(uint32(3)))}
		if diff := cmp.Diff(want, wire.Job(s), protocmp.Transform()); diff != "" {
			t.Errorf("policy %s: -want +got\n%s", name, diff)
		}
	}
	s, err := wire.Spec(&schedulerv1.Job{FailurePolicy: &commonv1.JobFailurePolicy{Policy: new(commonv1.JobFailurePolicy_Constant)}}, nil)
	if err != nil || s.Policy != (job.Policy{}) {
		t.Errorf("constant without a message: %+v, %v; want a retry at once, for ever", s.Policy, err)
	}
}

func TestIntervalOutOfRangeIsRefused(t *testing.T) {
	for _, d := range []*durationpb.Duration{
		{Seconds: 9_223_372_037},
		{Seconds: math.MaxInt64, Nanos: math.MaxInt32},
		{Seconds: math.MinInt64, Nanos: math.MinInt32},
		{Seconds: 1, Nanos: -1},
		{Nanos: 1_000_000_000},
	} {
		_, err := wire.Spec(&schedulerv1.Job{FailurePolicy: constant(d, nil)}, nil)
		if got := status.Convert(wire.Status(err)); got.Code() != codes.Unknown {
			t.Errorf("%v: %v, want Unknown", d, got)
		}
	}
}

func TestRequestWithoutJobIsRefused(t *testing.T) {
	_, err := wire.Spec(nil, nil)
	wantStatus(t, "no job", err, codes.InvalidArgument, "missing job in request")
}

func FuzzScheduleRequest(f *testing.F) {
	add := func(m *schedulerv1.ScheduleJobRequest) {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	add(&schedulerv1.ScheduleJobRequest{
		Name: "name", Metadata: &schedulerv1.JobMetadata{AppId: "app", Namespace: "ns", Target: jobTarget()},
		Job: &schedulerv1.Job{DueTime: new("1s"), Data: &anypb.Any{Value: []byte("x")}, FailurePolicy: drop()},
	})
	add(&schedulerv1.ScheduleJobRequest{
		Name: "name",
		Metadata: &schedulerv1.JobMetadata{
			AppId: "app", Namespace: "ns", Target: actorTarget("type", "id"), ConcurrencyKey: new("key"),
		},
		Job: &schedulerv1.Job{
			Schedule: new("@daily"), Repeats: new(uint32(1)), Ttl: new("1h"),
			FailurePolicy: constant(durationpb.New(time.Minute), new(uint32(1))),
		},
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		req := new(schedulerv1.ScheduleJobRequest)
		if err := proto.Unmarshal(b, req); err != nil {
			return
		}
		k, err := wire.Key(req.GetName(), req.GetMetadata())
		if err != nil {
			if code := status.Code(wire.Status(err)); code == codes.Internal {
				t.Fatalf("Key: %v", err)
			}
			return
		}
		_ = k.Check()
		s, err := wire.Spec(req.GetJob(), req.GetMetadata())
		if err != nil {
			if code := status.Code(wire.Status(err)); code == codes.Internal {
				t.Fatalf("Spec: %v", err)
			}
			return
		}
		m := wire.Metadata(k, s.AppID, s.ConcurrencyKey)
		if again, err := wire.Key(req.GetName(), m); err != nil || again != k {
			t.Errorf("key %+v became %+v, %v", k, again, err)
		}
		again, err := wire.Spec(wire.Job(s), m)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, again, cmpopts.IgnoreFields(job.Spec{}, "Plan"), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-before +after\n%s", diff)
		}
	})
}
