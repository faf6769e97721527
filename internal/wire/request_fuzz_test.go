package wire_test

import (
	"slices"
	"testing"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// marshal is the seed of a message.
func marshal(f *testing.F, m proto.Message) []byte {
	f.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// notOurFault fails the test over an error that would be told to a client as a mistake of ours.
func notOurFault(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil && status.Code(wire.Status(err)) == codes.Internal {
		t.Errorf("%s: %v", what, err)
	}
}

// FuzzRequestsAboutManyJobs holds that whatever a request to list or to delete says, it is refused
// for a reason, or names jobs of the namespace and the kind that it says, and no more than its
// target's.
func FuzzRequestsAboutManyJobs(f *testing.F) {
	app := &schedulerv1.JobMetadata{AppId: "app", Namespace: "ns", Target: jobTarget()}
	actor := &schedulerv1.JobMetadata{AppId: "app", Namespace: "ns", Target: actorTarget("type", "id")}
	f.Add(marshal(f, &schedulerv1.DeleteByMetadataRequest{Metadata: app, IdPrefixMatch: new(true)}))
	f.Add(marshal(f, &schedulerv1.DeleteByMetadataRequest{Metadata: actor}))
	f.Add(marshal(f, &schedulerv1.DeleteByNamePrefixRequest{Metadata: actor, NamePrefix: "prefix"}))
	f.Add(marshal(f, &schedulerv1.ListJobsRequest{Metadata: app}))
	f.Fuzz(func(t *testing.T, b []byte) {
		within := func(what string, p job.Prefix, err error, m *schedulerv1.JobMetadata) {
			notOurFault(t, what, err)
			if err != nil {
				return
			}
			want := job.App
			if m.GetTarget().GetActor() != nil {
				want = job.Actor
			}
			if p.Kind != want || p.Namespace == "" || p.Namespace != m.GetNamespace() || len(p.Parts) == 0 && p.Rest == "" {
				t.Errorf("%s: %+v names more than %v does", what, p, m)
			}
		}
		byMetadata := new(schedulerv1.DeleteByMetadataRequest)
		if proto.Unmarshal(b, byMetadata) == nil {
			p, err := wire.DeletePrefix(byMetadata)
			within("delete by metadata", p, err, byMetadata.GetMetadata())
		}
		byName := new(schedulerv1.DeleteByNamePrefixRequest)
		if proto.Unmarshal(b, byName) == nil {
			p, err := wire.NamePrefix(byName)
			within("delete by name prefix", p, err, byName.GetMetadata())
			if err == nil && p.Rest != byName.GetNamePrefix() {
				t.Errorf("%v deletes what begins with %q", byName, p.Rest)
			}
		}
		list := new(schedulerv1.ListJobsRequest)
		if proto.Unmarshal(b, list) == nil {
			p, err := wire.Prefix(list.GetMetadata())
			within("list", p, err, list.GetMetadata())
		}
	})
}

// FuzzWatchJobsRequest holds that whatever a sidecar says first, it is refused for a reason, or
// serves its own app and the actor types that it names.
func FuzzWatchJobsRequest(f *testing.F) {
	f.Add(marshal(f, &schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{
		Initial: &schedulerv1.WatchJobsRequestInitial{
			AppId: "app", Namespace: "ns", ActorTypes: []string{"type", "other"},
			AcceptJobTypes: []schedulerv1.JobTargetType{
				schedulerv1.JobTargetType_JOB_TARGET_TYPE_JOB, schedulerv1.JobTargetType_JOB_TARGET_TYPE_ACTOR_REMINDER,
			},
		},
	}}))
	f.Add(marshal(f, wire.Result(7, job.Failed)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := new(schedulerv1.WatchJobsRequest)
		if proto.Unmarshal(b, r) != nil {
			return
		}
		if o := wire.Outcome(r.GetResult().GetStatus()); o != job.Handled && o != job.Failed {
			t.Errorf("%v is the outcome %v", r, o)
		}
		i := r.GetInitial()
		targets, err := wire.Targets(i)
		notOurFault(t, "targets", err)
		for _, target := range targets {
			own := target == job.Target{Kind: job.App, Namespace: i.GetNamespace(), Name: i.GetAppId()}
			actor := target.Kind == job.Actor && target.Namespace == i.GetNamespace() && slices.Contains(i.GetActorTypes(), target.Name)
			if !own && !actor {
				t.Errorf("%v serves %v", i, target)
			}
		}
	})
}
