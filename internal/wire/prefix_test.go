package wire_test

import (
	"strings"
	"testing"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	"carillon/internal/job"
	"carillon/internal/when"
	"carillon/internal/wire"
)

func meta(target *schedulerv1.JobTargetMetadata) *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{Namespace: "ns", AppId: "app", Target: target}
}

func TestMetadataSelectJobsByPrefix(t *testing.T) {
	list := func(m *schedulerv1.JobMetadata) (job.Prefix, error) { return wire.Prefix(m) }
	exact := func(m *schedulerv1.JobMetadata) (job.Prefix, error) {
		return wire.DeletePrefix(&schedulerv1.DeleteByMetadataRequest{Metadata: m})
	}
	ids := func(m *schedulerv1.JobMetadata) (job.Prefix, error) {
		return wire.DeletePrefix(&schedulerv1.DeleteByMetadataRequest{Metadata: m, IdPrefixMatch: new(true)})
	}
	names := func(m *schedulerv1.JobMetadata) (job.Prefix, error) {
		return wire.NamePrefix(&schedulerv1.DeleteByNamePrefixRequest{Metadata: m, NamePrefix: "pre||"})
	}
	app, actor, all := meta(jobTarget()), meta(actorTarget("type", "i||d")), meta(actorTarget("ty||pe", ""))
	for name, tc := range map[string]struct {
		f    func(*schedulerv1.JobMetadata) (job.Prefix, error)
		m    *schedulerv1.JobMetadata
		want job.Prefix
	}{
		"list an app":             {list, app, job.Prefix{Kind: job.App, Parts: []string{"app"}}},
		"list an actor":           {list, actor, job.Prefix{Kind: job.Actor, Parts: []string{"type", "i||d"}}},
		"list a type":             {list, all, job.Prefix{Kind: job.Actor, Parts: []string{"ty||pe"}}},
		"delete an app":           {exact, app, job.Prefix{Kind: job.App, Parts: []string{"app"}}},
		"delete an actor":         {exact, actor, job.Prefix{Kind: job.Actor, Parts: []string{"type", "i||d"}}},
		"delete a type":           {exact, all, job.Prefix{Kind: job.Actor, Parts: []string{"ty||pe"}}},
		"delete apps by prefix":   {ids, app, job.Prefix{Kind: job.App, Rest: "app"}},
		"delete actors by prefix": {ids, actor, job.Prefix{Kind: job.Actor, Parts: []string{"type"}, Rest: "i||d"}},
		"a type has no prefix":    {ids, all, job.Prefix{Kind: job.Actor, Parts: []string{"ty||pe"}}},
		"delete jobs by name":     {names, app, job.Prefix{Kind: job.App, Parts: []string{"app"}, Rest: "pre||"}},
		"reminders by name":       {names, actor, job.Prefix{Kind: job.Actor, Parts: []string{"type", "i||d"}, Rest: "pre||"}},
		"without id, ids by name": {names, all, job.Prefix{Kind: job.Actor, Parts: []string{"ty||pe"}, Rest: "pre||"}},
	} {
		tc.want.Namespace = "ns"
		got, err := tc.f(tc.m)
		if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%s: %v; -want +got\n%s", name, err, diff)
		}
	}
}

func TestNamePrefixIsCheckedAsShortestName(t *testing.T) {
	most := strings.Repeat("x", job.MaxName-len("app||ns||app||")-1)
	for prefix, text := range map[string]string{
		"":         "",
		"a||b ":    "",
		most:       "",
		"a/b":      `job name is invalid "app||ns||app||a/ba": must not contain '/', '\', '#' or '?': no name begins with "a/b"`,
		most + "x": `job name is invalid "app||ns||app||` + most + `xa": must be at most 512 characters: no name begins with "` + most[:99] + `x"`,
	} {
		_, err := wire.NamePrefix(&schedulerv1.DeleteByNamePrefixRequest{Metadata: meta(jobTarget()), NamePrefix: prefix})
		if text == "" {
			if err != nil {
				t.Errorf("%q: %v", prefix, err)
			}
			continue
		}
		wantStatus(t, prefix, wire.Status(err), codes.Unknown, text)
	}
}

func TestListEntriesAreIndependent(t *testing.T) {
	app := job.Target{Kind: job.App, Namespace: "ns", Name: "app"}
	actor := job.Target{Kind: job.Actor, Namespace: "ns", Name: "type"}
	words := when.Words{Schedule: new("@every 1s"), DueTime: new("1s"), TTL: new("1h"), Repeats: new(uint32(7))}
	items := []job.Item{
		{Key: job.Key{Target: app, Name: "a"}, Spec: job.Spec{AppID: "app", Policy: job.DefaultPolicy(), Words: words}},
		{Key: job.Key{Target: app, Name: "b"}, Spec: job.Spec{AppID: "app", Policy: job.DefaultPolicy(), Data: &job.Data{TypeURL: "u", Value: []byte("v")}}},
		{Key: job.Key{Target: app, Name: "c"}, Spec: job.Spec{AppID: "app", Policy: job.Policy{Drop: true}}},
		{Key: job.Key{Target: app, Name: "d"}, Spec: job.Spec{AppID: "app", ConcurrencyKey: new("k"), Data: &job.Data{}}},
		{Key: job.Key{Target: actor, ActorID: "1", Name: "d"}, Spec: job.Spec{AppID: "app"}},
		{Key: job.Key{Target: actor, ActorID: "2", Name: "d"}, Spec: job.Spec{AppID: "other", Policy: job.Policy{MaxRetries: new(uint32(0))}}},
	}
	var l wire.Listing
	for i := range items {
		for j := range items {
			for _, item := range []job.Item{items[i], items[j]} {
				want := &schedulerv1.NamedJob{
					Name: item.Key.Name, Job: wire.Job(item.Spec),
					Metadata: wire.Metadata(item.Key, item.Spec.AppID, item.Spec.ConcurrencyKey),
				}
				if diff := cmp.Diff(want, l.NamedJob(item), protocmp.Transform()); diff != "" {
					t.Errorf("%s after %s (-want +got):\n%s", items[j].Key, items[i].Key, diff)
				}
			}
		}
	}
}
