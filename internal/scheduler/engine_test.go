package scheduler_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	"carillon/internal/dispatch"
	realengine "carillon/internal/engine"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
)

// runEngine is run with an engine and a store behind the service, in the place of a map.
func runEngine(t *testing.T) *node {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	st, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true}, log)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{dispatch: dispatch.New(dispatch.Config{}), listener: bufconn.Listen(1 << 20), stopped: make(chan error, 2)}
	e := realengine.New(realengine.Config{Partitions: 8}, st, n.dispatch, log)
	s := scheduler.New(scheduler.Config{Hosts: []string{"a:1"}}, e, n.dispatch, log)
	ctx, stop := context.WithCancel(t.Context())
	go func() { n.stopped <- e.Run(ctx) }()
	go func() { n.stopped <- s.Run(ctx, n.listener) }()
	n.conn = n.client(t)
	n.SchedulerClient = schedulerv1.NewSchedulerClient(n.conn)
	t.Cleanup(func() {
		n.conn.Close()
		stop()
		for range 2 {
			if err := <-n.stopped; err != nil {
				t.Error(err)
			}
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// Two hosts of Dapr's kind, whose streams break and whose apps answer late, out of order, twice,
// wrongly or never, over a real engine, with the traffic of jobs, reminders and workflows: every
// occurrence is handled, every job then gone, and what was deleted by a prefix of ids is silent
// from then on.
func TestJobsRemindersAndWorkflowsComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runEngine(t)
		seen := make(map[string]int)
		app := moody(2*time.Second, seen)
		ctx, stop := context.WithCancel(t.Context())
		var hosts sync.WaitGroup
		for range 2 {
			initial := hello("ns", "app", "T")
			initial.ConcurrencyLimits = []*schedulerv1.ConcurrencyLimit{limitOf(nil, 20), limitOf(new("0"), 3)}
			d := &daprd{client: n, hello: initial, life: 30 * time.Second, app: app}
			hosts.Go(func() { d.run(ctx) })
		}

		forEver := &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{
			Constant: &commonv1.JobFailurePolicyConstant{Interval: durationpb.New(time.Second)},
		}}
		schedule := func(name string, meta *schedulerv1.JobMetadata, j *schedulerv1.Job) {
			t.Helper()
			j.FailurePolicy = forEver
			req := &schedulerv1.ScheduleJobRequest{Name: name, Metadata: meta, Job: j, Overwrite: true}
			if _, err := n.ScheduleJob(t.Context(), req); err != nil {
				t.Fatal(err)
			}
		}
		const each = 100
		past := time.Now().Add(-time.Hour).Format(time.RFC3339Nano)
		for i := range each {
			schedule(fmt.Sprint("job", i), jobMetadata("ns", "app"), &schedulerv1.Job{Schedule: new("@every 10s"), Repeats: new(uint32(3))})
			reminder := actorMetadata("ns", "app", "T", fmt.Sprint("wf", i))
			reminder.ConcurrencyKey = new(fmt.Sprint(i % 3))
			schedule(fmt.Sprint("event", i), reminder, &schedulerv1.Job{DueTime: &past})
			schedule(fmt.Sprint("event", i), reminder, &schedulerv1.Job{DueTime: &past}) // often in flight by now
			schedule("never", actorMetadata("ns", "app", "T", fmt.Sprint("purged::", i)), &schedulerv1.Job{DueTime: new("1h")})
		}
		purge := &schedulerv1.DeleteByMetadataRequest{Metadata: actorMetadata("ns", "app", "T", "purged::"), IdPrefixMatch: new(true)}
		if _, err := n.DeleteByMetadata(t.Context(), purge); err != nil {
			t.Fatal(err)
		}

		time.Sleep(2 * time.Hour)
		stop()
		hosts.Wait()
		for _, meta := range []*schedulerv1.JobMetadata{jobMetadata("ns", "app"), actorMetadata("ns", "app", "T", "")} {
			left, err := n.ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: meta})
			if err != nil || len(left.GetJobs()) != 0 {
				t.Errorf("%d jobs are left, %v among them; %v", len(left.GetJobs()), left.GetJobs()[:1], err)
			}
		}
		for i := range each {
			if got := seen[fmt.Sprint("job", i)]; got < 3 {
				t.Errorf("job%d was seen %d times, and has three occurrences", i, got)
			}
			if seen[fmt.Sprint("event", i)] == 0 {
				t.Errorf("event%d was never seen", i)
			}
		}
		if seen["never"] != 0 {
			t.Errorf("%d deleted reminders fired", seen["never"])
		}
	})
}
