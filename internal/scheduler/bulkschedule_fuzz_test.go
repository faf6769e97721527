package scheduler_test

import (
	"testing"
	"testing/synctest"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/bulkv1"
)

// FuzzBulkCallIsAnsweredAsSingleCalls holds that each job of a bulk call, whatever that contains, is
// answered as a call for it alone would have been, and no error is a mistake of ours.
func FuzzBulkCallIsAnsweredAsSingleCalls(f *testing.F) {
	for _, m := range []*bulkv1.ScheduleJobsRequest{
		bulkOf(), bulkOf(due("a", ""), due("b", "x")), bulkOf(due("a", ""), due("a", "")),
		bulkOf(&schedulerv1.ScheduleJobRequest{Name: "a/b", Metadata: jobMetadata("ns", "app"), Job: &schedulerv1.Job{Schedule: new("@never")}}),
		bulkOf(new(schedulerv1.ScheduleJobRequest), &schedulerv1.ScheduleJobRequest{Metadata: jobMetadata("ns", "app")}),
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(bulkv1.ScheduleJobsRequest)
		if proto.Unmarshal(b, m) != nil || len(m.GetJobs()) > 20 {
			return
		}
		for _, r := range m.GetJobs() {
			if string(r.GetJob().GetData().GetValue()) == "panic" {
				return // what the store in these tests takes for a word
			}
		}
		synctest.Test(t, func(t *testing.T) {
			alone, together := run(t), run(t)
			var want []*bulkv1.Refusal
			for i, r := range m.GetJobs() {
				_, err := alone.ScheduleJob(t.Context(), r)
				if status.Code(err) == codes.Internal {
					t.Errorf("%v: %v", r, err)
				}
				if err != nil {
					want = append(want, refusal(t, i, err))
				}
			}
			got, err := together.bulk(t, m.GetJobs()...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.GetRefused(), protocmp.Transform()); diff != "" {
				t.Errorf("%v: refused alone (-), together (+):\n%s", m, diff)
			}
			if diff := cmp.Diff(len(alone.jobs.jobs), len(together.jobs.jobs)); diff != "" {
				t.Errorf("%v: jobs stored alone (-), together (+):\n%s", m, diff)
			}
		})
	})
}
