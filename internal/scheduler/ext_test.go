package scheduler_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"carillon/internal/bulkv1"
	"carillon/internal/job"
)

// withExt schedules jobs with their ext by one call.
func (n *node) withExt(t *testing.T, jobs ...*bulkv1.JobWithExt) (*bulkv1.ScheduleJobsResponse, error) {
	t.Helper()
	return bulkv1.NewBulkClient(n.conn).ScheduleJobsWithExt(t.Context(), &bulkv1.ScheduleJobsWithExtRequest{Jobs: jobs})
}

func labelled(labels ...string) *bulkv1.JobExt {
	x := &bulkv1.JobExt{Labels: map[string]string{}}
	for i := 0; i < len(labels); i += 2 {
		x.Labels[labels[i]] = labels[i+1]
	}
	return x
}

// extOf returns what GetJob says of the ext of a job; nil if it says nothing.
func (n *node) extOf(t *testing.T, name string) *bulkv1.JobExt {
	t.Helper()
	var header metadata.MD
	if _, err := n.GetJob(t.Context(), &schedulerv1.GetJobRequest{Name: name, Metadata: jobMetadata("ns", "app")}, grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	values := header.Get(bulkv1.ExtHeader)
	if len(values) == 0 {
		return nil
	}
	x, err := bulkv1.DecodeExt(values[0])
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestGetReturnsExtInHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runEngine(t)
		full := labelled("example.com/team", "billing", "b", "")
		full.Description = "“invoices”\n"
		answer, err := n.withExt(t,
			&bulkv1.JobWithExt{Job: due("a", ""), Ext: full}, &bulkv1.JobWithExt{Job: due("b", "")}, &bulkv1.JobWithExt{Job: due("c", ""), Ext: labelled()})
		wantRefused(t, answer, err)
		for name, want := range map[string]*bulkv1.JobExt{"a": full, "b": nil, "c": nil} {
			if diff := cmp.Diff(want, n.extOf(t, name), protocmp.Transform()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		answer, err = n.bulk(t, due("a", "replaced"))
		wantRefused(t, answer, err)
		if got := n.extOf(t, "a"); got != nil {
			t.Errorf("after it was replaced without an ext the job has %v", got)
		}
	})
}

func TestWrongExtIsRefusedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		unknown := labelled("a", "b")
		unknown.ProtoReflect().SetUnknown([]byte("\x98\x06\x01"))
		many := labelled()
		for i := range job.MaxLabels + 1 {
			many.Labels[fmt.Sprint(i)] = ""
		}
		var jobs []*bulkv1.JobWithExt
		for i, x := range []*bulkv1.JobExt{
			nil, unknown, labelled("a", "b"), labelled("a b", ""), many, {Description: strings.Repeat("x", job.MaxDescription+1)},
		} {
			jobs = append(jobs, &bulkv1.JobWithExt{Job: due(fmt.Sprint(i), ""), Ext: x})
		}
		jobs = append(jobs, &bulkv1.JobWithExt{Ext: labelled("a", "b")}, new(bulkv1.JobWithExt))
		answer, err := n.withExt(t, jobs...)
		if err != nil {
			t.Fatal(err)
		}
		var refused []uint32
		for _, r := range answer.GetRefused() {
			refused = append(refused, r.GetIndex())
			if codes.Code(r.GetCode()) != codes.InvalidArgument {
				t.Errorf("%v, want InvalidArgument", r)
			}
		}
		if want := []uint32{1, 3, 4, 5, 6, 7}; !reflect.DeepEqual(refused, want) || len(n.jobs.jobs) != 2 {
			t.Errorf("the jobs %v are refused and %d are stored, want %v and two", refused, len(n.jobs.jobs), want)
		}
	})
}

func TestBulkCallWithTooManyLabelsStoresNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		x := labelled()
		for i := range 1000*job.MaxLabels + 1 {
			x.Labels[fmt.Sprint(i)] = ""
		}
		_, err := n.withExt(t, &bulkv1.JobWithExt{Job: due("a", ""), Ext: x})
		wantStatus(t, "a call with 32,001 labels", err, codes.InvalidArgument, "the call has 32001 labels, and at most 32000 are accepted")
		var jobs []*bulkv1.JobWithExt
		for i := range 1001 {
			jobs = append(jobs, &bulkv1.JobWithExt{Job: due(fmt.Sprint(i), ""), Ext: labelled("a", "b")})
		}
		_, err = n.withExt(t, jobs...)
		wantStatus(t, "a call with 1,001 jobs", err, codes.InvalidArgument, "the call has 1001 jobs, and at most 1000 are accepted: make several calls")
		if got := len(n.jobs.jobs); got != 0 {
			t.Errorf("%d jobs are stored, want none", got)
		}
	})
}

func TestPageHasExtOfItsJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runEngine(t)
		var jobs []*bulkv1.JobWithExt
		for i := range 50 {
			j := &bulkv1.JobWithExt{Job: due(fmt.Sprintf("job%02d", i), "")}
			if i%3 == 0 {
				j.Ext = labelled("n", fmt.Sprint(i))
			}
			jobs = append(jobs, j)
		}
		answer, err := n.withExt(t, jobs...)
		wantRefused(t, answer, err)
		r := &bulkv1.ListJobsPageRequest{Metadata: jobMetadata("ns", "app"), PageSize: 7}
		for seen := 0; ; {
			page, err := bulkv1.NewBulkClient(n.conn).ListJobsPage(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			for i, j := range page.GetJobs() {
				if diff := cmp.Diff(jobs[seen].GetExt(), page.GetExt()[uint32(i)], protocmp.Transform()); diff != "" || j.GetName() != jobs[seen].GetJob().GetName() {
					t.Errorf("job %d is %s (-want +got):\n%s", seen, j.GetName(), diff)
				}
				seen++
			}
			if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
				if seen != len(jobs) {
					t.Errorf("the pages have %d jobs, want %d", seen, len(jobs))
				}
				break
			}
		}
		// The list of Dapr's service has no field for it.
		list, err := n.ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: jobMetadata("ns", "app")})
		if err != nil || len(list.GetJobs()) != len(jobs) || len(list.ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("ListJobs: %d jobs, %d bytes more, %v", len(list.GetJobs()), len(list.ProtoReflect().GetUnknown()), err)
		}
	})
}

// FuzzCallWithExtIsAnsweredAsWithout holds that a call of any jobs without an ext is answered as
// ScheduleJobs answers it, and that whatever an ext has no error is a mistake of ours.
func FuzzCallWithExtIsAnsweredAsWithout(f *testing.F) {
	for _, m := range []*bulkv1.ScheduleJobsWithExtRequest{
		{},
		{Jobs: []*bulkv1.JobWithExt{{Job: due("a", ""), Ext: labelled("a", "b")}, {Job: due("a", "")}}},
		{Jobs: []*bulkv1.JobWithExt{{Ext: labelled("a b", "")}, {Job: due("a/b", ""), Ext: labelled()}}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(bulkv1.ScheduleJobsWithExtRequest)
		if proto.Unmarshal(b, m) != nil || len(m.GetJobs()) > 20 {
			return
		}
		var plain []*schedulerv1.ScheduleJobRequest
		for _, j := range m.GetJobs() {
			if string(j.GetJob().GetJob().GetData().GetValue()) == "panic" {
				return // what the store in these tests takes for a word
			}
			plain = append(plain, j.GetJob())
		}
		synctest.Test(t, func(t *testing.T) {
			with, without := run(t), run(t)
			answer, err := with.withExt(t, m.GetJobs()...)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range answer.GetRefused() {
				if codes.Code(r.GetCode()) == codes.Internal {
					t.Errorf("%v: %v", m, r)
				}
			}
			for _, j := range m.GetJobs() {
				if j.GetExt() != nil {
					return
				}
			}
			want, err := without.bulk(t, plain...)
			if err != nil {
				return // a job is absent, which ScheduleJobs cannot say
			}
			wantRefused(t, answer, nil, want.GetRefused()...)
		})
	})
}
