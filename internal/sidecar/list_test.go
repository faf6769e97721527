package sidecar_test

import (
	"strings"
	"testing"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/sidecar"
)

// A bulkAPI is the calls about many jobs, which exist under two names.
type bulkAPI struct {
	list   func() ([]*runtimev1.Job, error)
	remove func(prefix *string) error
}

// bulk returns both.
func (f *fixture) bulk(md ...string) map[string]bulkAPI {
	ctx := metadata.AppendToOutgoingContext(f.t.Context(), md...)
	c := runtimev1.NewDaprClient(f.grpc())
	return map[string]bulkAPI{
		"stable": {
			func() ([]*runtimev1.Job, error) {
				res, err := c.ListJobs(ctx, &runtimev1.ListJobsRequest{})
				return res.GetJobs(), err
			},
			func(prefix *string) error {
				_, err := c.DeleteJobsByPrefix(ctx, &runtimev1.DeleteJobsByPrefixRequest{NamePrefix: prefix})
				return err
			},
		},
		"Alpha1": {
			func() ([]*runtimev1.Job, error) {
				res, err := c.ListJobsAlpha1(ctx, &runtimev1.ListJobsRequestAlpha1{}) //nolint:staticcheck // SDKs use it
				return res.GetJobs(), err
			},
			func(prefix *string) error {
				r := &runtimev1.DeleteJobsByPrefixRequestAlpha1{NamePrefix: prefix}
				_, err := c.DeleteJobsByPrefixAlpha1(ctx, r) //nolint:staticcheck // SDKs use it
				return err
			},
		},
	}
}

func TestListReturnsAllJobsAsScheduled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{AnyApp: true, DefaultApp: "sub"})
		c := runtimev1.NewDaprClient(f.grpc())
		want := []*runtimev1.Job{
			{Name: "a", DueTime: new("30s")},
			{Name: "b", Schedule: new("@daily"), Repeats: new(uint32(0)), Ttl: new("x"), Data: &anypb.Any{Value: []byte{0, 255}}},
			{Name: "c", Schedule: new(""), FailurePolicy: &commonv1.JobFailurePolicy{
				Policy: &commonv1.JobFailurePolicy_Drop{Drop: &commonv1.JobFailurePolicyDrop{}},
			}},
		}
		for _, j := range want {
			if _, err := c.ScheduleJob(t.Context(), &runtimev1.ScheduleJobRequest{Job: j}); err != nil {
				t.Fatal(err)
			}
		}
		f.send("POST", "/v1.0/jobs/other", `{"dueTime":"1s"}`, "dapr-app-id: pub")
		for name, api := range f.bulk() {
			got, err := api.list()
			if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
				t.Errorf("%s: list: %v, unexpected jobs (-want +got):\n%s", name, err, diff)
			}
		}
		for name, api := range f.bulk("dapr-app-id", "pub") {
			if got, err := api.list(); err != nil || len(got) != 1 || got[0].GetName() != "other" {
				t.Errorf("%s: list of pub = %v, %v, want the job other", name, got, err)
			}
		}
		for name, api := range f.bulk("dapr-app-id", "nobody") {
			if got, err := api.list(); err != nil || len(got) != 0 {
				t.Errorf("%s: list of an app without jobs = %v, %v, want none", name, got, err)
			}
		}
	})
}

func TestDeleteByPrefix(t *testing.T) {
	for _, name := range []string{"stable", "Alpha1"} {
		bubble(t, func(t *testing.T) {
			f := start(t, sidecar.Config{AnyApp: true, DefaultApp: "sub"})
			api := f.bulk()[name]
			left := func() string {
				t.Helper()
				jobs, err := api.list()
				if err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, j := range jobs {
					names = append(names, j.GetName())
				}
				return strings.Join(names, " ")
			}
			f.send("POST", "/v1.0/jobs/a1", `{"dueTime":"1s"}`, "dapr-app-id: pub")
			for _, c := range []struct {
				prefix *string
				left   string
			}{
				{new("a"), "b"}, {new("x"), "a1 a2 b"}, {new("a1"), "a2 b"}, {new(""), ""}, {nil, ""},
			} {
				for _, job := range []string{"a1", "a2", "b"} {
					f.send("POST", "/v1.0/jobs/"+job, `{"dueTime":"1s","overwrite":true}`)
				}
				if err := api.remove(c.prefix); err != nil {
					t.Errorf("%s: delete of %v = %v", name, c.prefix, err)
				}
				if got := left(); got != c.left {
					t.Errorf("%s: after the delete of %v there are %q, want %q", name, c.prefix, got, c.left)
				}
			}
			if f.scheduler.job("default|pub|a1") == nil {
				t.Errorf("%s: another app's job is gone", name)
			}
		})
	}
}

func TestListAndPrefixErrorsAreDaprs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		md := map[string]string{"appID": "sub", "namespace": "default"}
		for name, api := range f.bulk() {
			for _, code := range []codes.Code{codes.Unknown, codes.InvalidArgument, codes.Unavailable, codes.NotFound} {
				err := status.Error(code, "no")
				f.scheduler.answersWith(err)
				_, got := api.list()
				wantStatus(t, name+" list", got, codes.Internal, "failed to list jobs due to: "+err.Error(),
					"DAPR_SCHEDULER_LIST_JOBS", md)
				wantStatus(t, name+" delete", api.remove(nil), codes.Internal, "failed to delete job due to: "+err.Error(),
					"DAPR_SCHEDULER_DELETE_JOB", md)
			}
		}
	})
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{Schedulers: []string{""}})
		md := map[string]string{"appID": "sub", "namespace": "default"}
		for name, api := range f.bulk() {
			_, err := api.list()
			wantStatus(t, name+" list", err, codes.Internal, "failed to list jobs due to: scheduler clients are disabled",
				"DAPR_SCHEDULER_LIST_JOBS", md)
			wantStatus(t, name+" delete", api.remove(nil), codes.Internal,
				"failed to delete job due to: scheduler clients are disabled", "DAPR_SCHEDULER_DELETE_JOB", md)
		}
	})
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{AnyApp: true})
		for name, api := range f.bulk() {
			if _, err := api.list(); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s: list for nobody = %v, want InvalidArgument", name, err)
			}
			if err := api.remove(nil); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s: delete for nobody = %v, want InvalidArgument", name, err)
			}
		}
	})
}

func TestListAndPrefixCallsWaitForScheduler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		f.scheduler.die()
		began := time.Now()
		// The third attempt to connect comes later, and within a second.
		time.AfterFunc(2*time.Second, f.scheduler.serve)
		for name, api := range f.bulk() {
			if _, err := api.list(); err != nil {
				t.Errorf("%s: list = %v", name, err)
			}
			if err := api.remove(nil); err != nil {
				t.Errorf("%s: delete = %v", name, err)
			}
		}
		if d := time.Since(began); d < 2*time.Second || d > 4*time.Second {
			t.Errorf("the calls took %v, want some more than 2s", d)
		}
	})
}

func TestOversizedListIsResourceExhausted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{MaxBody: 1000})
		for _, c := range []struct {
			jobs int
			text string
		}{
			{3, "grpc: trying to send message larger than max ("},
			{60, "failed to list jobs due to: rpc error: code = ResourceExhausted desc = grpc: received message larger than max ("},
		} {
			for i := range c.jobs {
				body := `{"dueTime":"1s","overwrite":true,"data":"` + strings.Repeat("x", 800) + `"}`
				if got := f.send("POST", "/v1.0/jobs/a"+strings.Repeat("a", i), body); got.code != 204 {
					t.Fatalf("POST = %d %s", got.code, got.body)
				}
			}
			for name, api := range f.bulk() {
				_, err := api.list()
				if s := status.Convert(err); s.Code() != codes.ResourceExhausted || !strings.HasPrefix(s.Message(), c.text) {
					t.Errorf("%s: a list of %d jobs: %v, want ResourceExhausted %s", name, c.jobs, err, c.text)
				}
			}
		}
	})
}

func TestListOverHTTPNeedsOurScheduler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{APIToken: "secret"})
		got := f.send("GET", "/v1.0/jobs", "", "dapr-api-token: secret")
		if got.code != 501 || !strings.Contains(got.body, `"DAPR_SCHEDULER_LIST_JOBS"`) || !strings.Contains(got.body, "scheduler of Carillon") {
			t.Errorf("a list with a scheduler of Dapr: %d %s, want 501 and what to do", got.code, got.body)
		}
		if got := f.send("GET", "/v1.0/jobs", ""); got.code != 401 {
			t.Errorf("a list without the token: %d %s, want 401", got.code, got.body)
		}
		f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1h"}`, "dapr-api-token: secret")
		one := f.send("GET", "/v1.0/jobs/a", "", "dapr-api-token: secret")
		if due, has := one.header["Carillon-Next-Due"]; one.code != 200 || has {
			t.Errorf("GET with a scheduler of Dapr: %d, due %q; want no such header", one.code, due)
		}
	})
}

func TestListOverHTTPIsAboutServedApp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{DefaultApp: "sub"})
		if got := f.send("GET", "/v1.0-alpha1/jobs", "", "dapr-app-id: pub"); got.code != 403 || !strings.Contains(got.body, "ERR_APP_ID_FORBIDDEN") {
			t.Errorf("a list of another app: %d %s, want 403", got.code, got.body)
		}
	})
}
