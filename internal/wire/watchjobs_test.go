package wire_test

import (
	"slices"
	"testing"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"carillon/internal/job"
	"carillon/internal/wire"
)

const (
	acceptJob   = schedulerv1.JobTargetType_JOB_TARGET_TYPE_JOB
	acceptActor = schedulerv1.JobTargetType_JOB_TARGET_TYPE_ACTOR_REMINDER
)

func TestStreamServesAcceptedKinds(t *testing.T) {
	app := job.Target{Kind: job.App, Namespace: "ns", Name: "app"}
	actors := []job.Target{{Kind: job.Actor, Namespace: "ns", Name: "t1"}, {Kind: job.Actor, Namespace: "ns", Name: "t2"}}
	both := append([]job.Target{app}, actors...)
	for name, tc := range map[string]struct {
		accept []schedulerv1.JobTargetType
		types  []string
		want   []job.Target
	}{
		"no list means both":         {nil, []string{"t1", "t2"}, both},
		"both":                       {[]schedulerv1.JobTargetType{acceptActor, acceptJob}, []string{"t1", "t2"}, both},
		"jobs only, types or not":    {[]schedulerv1.JobTargetType{acceptJob}, []string{"t1", "t2"}, []job.Target{app}},
		"reminders only":             {[]schedulerv1.JobTargetType{acceptActor}, []string{"t1", "t2"}, actors},
		"reminders only, no types":   {[]schedulerv1.JobTargetType{acceptActor}, nil, nil},
		"kinds that we do not know":  {[]schedulerv1.JobTargetType{17}, []string{"t1"}, nil},
		"a known and an unknown one": {[]schedulerv1.JobTargetType{17, acceptJob}, nil, []job.Target{app}},
	} {
		got, err := wire.Targets(&schedulerv1.WatchJobsRequestInitial{
			AppId: "app", Namespace: "ns", ActorTypes: tc.types, AcceptJobTypes: tc.accept,
		})
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, tc.want)
		}
	}
}

func TestInitialRequestIsChecked(t *testing.T) {
	twice := []schedulerv1.JobTargetType{acceptJob, acceptActor, acceptJob}
	for name, tc := range map[string]struct {
		initial *schedulerv1.WatchJobsRequestInitial
		code    codes.Code
		text    string
	}{
		"no namespace": {
			&schedulerv1.WatchJobsRequestInitial{AppId: "app", AcceptJobTypes: twice},
			codes.InvalidArgument, "missing namespace or appID in request",
		},
		"no app id": {
			&schedulerv1.WatchJobsRequestInitial{Namespace: "ns"},
			codes.InvalidArgument, "missing namespace or appID in request",
		},
		"a kind twice": {
			&schedulerv1.WatchJobsRequestInitial{AppId: "app", Namespace: "ns", AcceptJobTypes: twice},
			codes.Unknown, "duplicate target type specified: JOB_TARGET_TYPE_JOB",
		},
	} {
		_, err := wire.Targets(tc.initial)
		wantStatus(t, name, err, tc.code, tc.text)
	}
}

func TestConcurrencyLimitSelectsTargetAndKey(t *testing.T) {
	actor := &schedulerv1.ConcurrencyLimit_Actor{Actor: &schedulerv1.ConcurrencyLimitActor{Type: "type"}}
	target := job.Target{Kind: job.Actor, Namespace: "ns", Name: "type"}
	for _, tc := range []struct {
		limit  *schedulerv1.ConcurrencyLimit
		target job.Target
		key    *string
		ok     bool
	}{
		{&schedulerv1.ConcurrencyLimit{MaxConcurrent: 1, Target: actor}, target, nil, true},
		{&schedulerv1.ConcurrencyLimit{MaxConcurrent: 1, Target: actor, Name: new("")}, target, new(""), true},
		{&schedulerv1.ConcurrencyLimit{MaxConcurrent: 1, Target: actor, Name: new("x")}, target, new("x"), true},
		{&schedulerv1.ConcurrencyLimit{MaxConcurrent: 1, Name: new("x")}, job.Target{}, nil, false},
		{&schedulerv1.ConcurrencyLimit{Target: new(schedulerv1.ConcurrencyLimit_Actor)}, job.Target{}, nil, false},
		{nil, job.Target{}, nil, false},
	} {
		got, key, ok := wire.ConcurrencyLimit("ns", tc.limit)
		if got != tc.target || !cmp.Equal(key, tc.key) || ok != tc.ok {
			t.Errorf("Limit(%v) = %v, %v, %v; want %v, %v, %v", tc.limit, got, key, ok, tc.target, tc.key, tc.ok)
		}
	}
}

func TestTriggerCarriesStoredJob(t *testing.T) {
	trig := job.Trigger{
		Key:            job.Key{Target: job.Target{Kind: job.Actor, Namespace: "ns", Name: "type"}, ActorID: "id", Name: "my||name"},
		AppID:          "app",
		ConcurrencyKey: new("key"),
		Data:           &job.Data{Value: []byte("x")},
	}
	r := wire.Response(7, trig)
	want := &schedulerv1.WatchJobsResponse{
		Id: 7, Name: "my||name", Data: r.GetData(),
		Metadata: &schedulerv1.JobMetadata{
			AppId: "app", Namespace: "ns", Target: actorTarget("type", "id"), ConcurrencyKey: new("key"),
		},
	}
	if diff := cmp.Diff(want, r, protocmp.Transform()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	got, err := wire.Trigger(r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(trig, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestUnknownStatusIsFailure(t *testing.T) {
	for s, want := range map[schedulerv1.WatchJobsRequestResultStatus]job.Outcome{
		schedulerv1.WatchJobsRequestResultStatus_SUCCESS: job.Handled,
		schedulerv1.WatchJobsRequestResultStatus_FAILED:  job.Failed,
		17: job.Failed,
		-1: job.Failed,
	} {
		if got := wire.Outcome(s); got != want {
			t.Errorf("Outcome(%v) = %v, want %v", s, got, want)
		}
	}
	for _, o := range []job.Outcome{job.Handled, job.Failed} {
		r := wire.Result(3, o).GetResult()
		if got := wire.Outcome(r.GetStatus()); got != o || r.GetId() != 3 {
			t.Errorf("%v came back as %v of %d", o, got, r.GetId())
		}
	}
}

func FuzzWatchJobsResponse(f *testing.F) {
	b, err := proto.Marshal(wire.Response(1, job.Trigger{
		Key:   job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}, Name: "name"},
		AppID: "app", Data: new(job.Data),
	}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := new(schedulerv1.WatchJobsResponse)
		if err := proto.Unmarshal(b, r); err != nil {
			return
		}
		trig, err := wire.Trigger(r)
		if err != nil {
			return
		}
		again, err := wire.Trigger(wire.Response(r.GetId(), trig))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(trig, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-before +after\n%s", diff)
		}
	})
}
