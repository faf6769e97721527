package scheduler_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"carillon/internal/job"
)

func (n *node) schedule(t *testing.T, name string, m *schedulerv1.JobMetadata, j *schedulerv1.Job) {
	t.Helper()
	req := &schedulerv1.ScheduleJobRequest{Name: name, Metadata: m, Job: j}
	if _, err := n.ScheduleJob(t.Context(), req); err != nil {
		t.Fatal(err)
	}
}

// fill schedules a job for every target and name that could be mistaken for one another.
func fill(t *testing.T, n *node) {
	t.Helper()
	for _, m := range []*schedulerv1.JobMetadata{
		jobMetadata("ns", "app"), jobMetadata("ns", "app2"), jobMetadata("ns2", "app"),
		actorMetadata("ns", "app", "app", "id"), actorMetadata("ns", "app", "app2", "id"),
		actorMetadata("ns", "app", "app", "id||1"), actorMetadata("ns2", "app", "app", "id"),
	} {
		for _, name := range []string{"a", "ab", "b||c"} {
			n.schedule(t, name, m, inAnHour())
		}
	}
}

// left returns the composite names of the stored jobs, sorted.
func (n *node) left() []string {
	n.jobs.mu.Lock()
	defer n.jobs.mu.Unlock()
	var names []string
	for k := range maps.Keys(n.jobs.jobs) {
		names = append(names, k.String())
	}
	slices.Sort(names)
	return names
}

func TestListReturnsExactlyScheduledJobs(t *testing.T) {
	n := run(t)
	fill(t, n)
	odd := actorMetadata("ns", "other", "type", "a||b")
	odd.ConcurrencyKey = new("")
	absent := &schedulerv1.Job{Schedule: new("@every 1h"), Repeats: new(uint32(1))}
	absent.Data = &anypb.Any{Value: []byte{0xff}}
	constant := &commonv1.JobFailurePolicyConstant{Interval: durationpb.New(0)}
	absent.FailurePolicy = &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{Constant: constant}}
	n.schedule(t, "my||job@name", odd, absent)

	got, err := n.ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: actorMetadata("ns", "app", "type", "")})
	if err != nil {
		t.Fatal(err)
	}
	want := &schedulerv1.ListJobsResponse{Jobs: []*schedulerv1.NamedJob{{Name: "my||job@name", Metadata: odd, Job: absent}}}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	for what, tc := range map[string]struct {
		meta *schedulerv1.JobMetadata
		want []string
	}{
		"an app":     {jobMetadata("ns", "app"), []string{"/a", "/ab", "/b||c"}},
		"no caller":  {jobMetadata("ns", "ap"), nil},
		"an actor":   {actorMetadata("ns", "app", "app", "id"), []string{"id/a", "id/ab", "id/b||c"}},
		"a type":     {actorMetadata("ns", "x", "app", ""), []string{"id/a", "id/ab", "id/b||c", "id||1/a", "id||1/ab", "id||1/b||c"}},
		"other type": {actorMetadata("ns", "app", "ap", ""), nil},
	} {
		resp, err := n.ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: tc.meta})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		var got []string
		for _, j := range resp.GetJobs() {
			got = append(got, j.GetMetadata().GetTarget().GetActor().GetId()+"/"+j.GetName())
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", what, got, tc.want)
		}
	}
}

func TestLargeListIsOneMessage(t *testing.T) {
	n := run(t)
	const jobs, size = 12, 2_000_000
	for i := range jobs {
		j := inAnHour()
		j.Data = &anypb.Any{Value: make([]byte, size)}
		n.schedule(t, fmt.Sprint(i), jobMetadata("ns", "app"), j)
	}
	resp, err := n.ListJobs(
		t.Context(), &schedulerv1.ListJobsRequest{Metadata: jobMetadata("ns", "app")}, grpc.MaxCallRecvMsgSize(math.MaxInt32))
	if err != nil {
		t.Fatal(err)
	}
	bytes := 0
	for _, j := range resp.GetJobs() {
		bytes += len(j.GetJob().GetData().GetValue())
	}
	if bytes != jobs*size {
		t.Errorf("got %d bytes in %d jobs, want %d in %d", bytes, len(resp.GetJobs()), jobs*size, jobs)
	}
}

func TestBulkDeleteRemovesJobsOfPrefix(t *testing.T) {
	app, actor, all := jobMetadata("ns", "app"), actorMetadata("ns", "app", "app", "id"), actorMetadata("ns", "app", "app", "")
	three := func(targets ...string) []string {
		var names []string
		for _, target := range targets {
			names = append(names, target+"||a", target+"||ab", target+"||b||c")
		}
		return names
	}
	byMeta := func(m *schedulerv1.JobMetadata, prefix *bool) func(*node) error {
		return func(n *node) error {
			req := &schedulerv1.DeleteByMetadataRequest{Metadata: m, IdPrefixMatch: prefix}
			_, err := n.DeleteByMetadata(t.Context(), req)
			return err
		}
	}
	byName := func(m *schedulerv1.JobMetadata, prefix string) func(*node) error {
		return func(n *node) error {
			req := &schedulerv1.DeleteByNamePrefixRequest{Metadata: m, NamePrefix: prefix}
			_, err := n.DeleteByNamePrefix(t.Context(), req)
			return err
		}
	}
	for what, tc := range map[string]struct {
		remove func(*node) error
		gone   []string
	}{
		"an app":            {byMeta(app, nil), three("app||ns||app")},
		"an app, said so":   {byMeta(app, new(false)), three("app||ns||app")},
		"apps by prefix":    {byMeta(app, new(true)), three("app||ns||app", "app||ns||app2")},
		"no caller":         {byMeta(jobMetadata("ns", "ap"), nil), nil},
		"an actor":          {byMeta(actor, nil), three("actorreminder||ns||app||id")},
		"actors by prefix":  {byMeta(actor, new(true)), three("actorreminder||ns||app||id", "actorreminder||ns||app||id||1")},
		"a type":            {byMeta(all, nil), three("actorreminder||ns||app||id", "actorreminder||ns||app||id||1")},
		"a type, by prefix": {byMeta(all, new(true)), three("actorreminder||ns||app||id", "actorreminder||ns||app||id||1")},
		"jobs by name":      {byName(app, "a"), []string{"app||ns||app||a", "app||ns||app||ab"}},
		"jobs of any name":  {byName(app, ""), three("app||ns||app")},
		"no such name":      {byName(app, "abc"), nil},
		"reminders by name": {byName(actor, "b||"), []string{"actorreminder||ns||app||id||b||c"}},
		"ids by name":       {byName(all, "id||"), three("actorreminder||ns||app||id||1")},
	} {
		n := run(t)
		fill(t, n)
		want := slices.DeleteFunc(n.left(), func(name string) bool { return slices.Contains(tc.gone, name) })
		for range 2 { // nothing is left the second time, which is fine
			if err := tc.remove(n); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if diff := cmp.Diff(want, n.left()); diff != "" {
			t.Errorf("%s: -want +left\n%s", what, diff)
		}
	}
}

func TestBulkDeleteReportsFirstError(t *testing.T) {
	n := run(t)
	caller, target := "missing namespace or appID in request", "unknown job type: <nil>"
	wrapped := "failed to parse metadata: rpc error: code = InvalidArgument desc = " + caller
	for what, tc := range map[string]struct {
		meta       *schedulerv1.JobMetadata
		code       codes.Code
		list, bulk string
	}{
		"no caller":    {nil, codes.InvalidArgument, caller, wrapped},
		"no namespace": {jobMetadata("", "app"), codes.InvalidArgument, caller, wrapped},
		"no app":       {actorMetadata("ns", "", "t", "id"), codes.InvalidArgument, caller, wrapped},
		"no target": {
			&schedulerv1.JobMetadata{Namespace: "ns", AppId: "app"}, codes.Unknown, target, "failed to parse metadata: " + target,
		},
	} {
		_, err := n.ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: tc.meta})
		wantStatus(t, what+", list", err, tc.code, tc.list)
		_, err = n.DeleteByMetadata(t.Context(), &schedulerv1.DeleteByMetadataRequest{Metadata: tc.meta})
		wantStatus(t, what+", by metadata", err, tc.code, tc.bulk)
		_, err = n.DeleteByNamePrefix(t.Context(), &schedulerv1.DeleteByNamePrefixRequest{Metadata: tc.meta, NamePrefix: "a/b"})
		wantStatus(t, what+", by name", err, tc.code, tc.bulk)
	}
	_, err := n.DeleteByNamePrefix(t.Context(), &schedulerv1.DeleteByNamePrefixRequest{
		Metadata: jobMetadata("ns", "app"), NamePrefix: "a/b",
	})
	wantStatus(t, "name", err, codes.Unknown, `job name is invalid "app||ns||app||a/ba": must not contain '/', '\', '#' or '?': no name begins with "a/b"`)
}

func TestFailedBulkDeleteSaysWhy(t *testing.T) {
	n := run(t)
	fill(t, n)
	meta := jobMetadata("ns", "app")
	for _, tc := range []struct {
		err  error
		code codes.Code
		text string
	}{
		{fmt.Errorf("/dev/sda: %w", job.ErrUnavailable), codes.Unavailable, "the scheduler cannot carry this out now: try again"},
		{errors.New("/dev/sda is on fire"), codes.Internal, "internal error of the scheduler: its log says more"},
	} {
		n.jobs.fail = tc.err
		_, err := n.ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: meta})
		wantStatus(t, "list", err, tc.code, tc.text)
		_, err = n.DeleteByMetadata(t.Context(), &schedulerv1.DeleteByMetadataRequest{Metadata: meta})
		wantStatus(t, "by metadata", err, tc.code, tc.text)
		_, err = n.DeleteByNamePrefix(t.Context(), &schedulerv1.DeleteByNamePrefixRequest{Metadata: meta})
		wantStatus(t, "by name", err, tc.code, tc.text)
	}
}

// A list is sent in pieces of 256 KiB; this one has a dozen.
func TestLongListIsComplete(t *testing.T) {
	n := run(t)
	j := inAnHour()
	j.Data = &anypb.Any{Value: make([]byte, 1000)}
	for i := range 3000 {
		n.schedule(t, fmt.Sprintf("%04d", i), jobMetadata("ns", "app"), j)
	}
	got, err := n.ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: jobMetadata("ns", "app")})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.GetJobs()) != 3000 {
		t.Fatalf("%d jobs are listed, want 3000", len(got.GetJobs()))
	}
	for i, item := range got.GetJobs() {
		if item.GetName() != fmt.Sprintf("%04d", i) || len(item.GetJob().GetData().GetValue()) != 1000 {
			t.Fatalf("entry %d is %s with %d bytes", i, item.GetName(), len(item.GetJob().GetData().GetValue()))
		}
	}
}
