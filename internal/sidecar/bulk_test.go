package sidecar_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
	"carillon/internal/sidecar"
)

// A bulkScheduler is the bulk service, which only our scheduler has.
type bulkScheduler struct {
	bulkv1.UnimplementedBulkServer
	scheduler *scheduler

	mu    sync.Mutex    // guards the fields below
	calls []int         // how many jobs each call had
	hold  chan struct{} // if set, calls wait until it is closed
	fails error         // the error of calls, or nil
	old   bool          // it does not know ScheduleJobsWithExt
	exts  map[string]*bulkv1.JobExt
}

func (s *bulkScheduler) ScheduleJobs(
	ctx context.Context, r *bulkv1.ScheduleJobsRequest,
) (*bulkv1.ScheduleJobsResponse, error) {
	s.mu.Lock()
	s.calls = append(s.calls, len(r.GetJobs()))
	hold, fails := s.hold, s.fails
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	if fails != nil {
		return nil, fails
	}
	answer := new(bulkv1.ScheduleJobsResponse)
	for i, r := range r.GetJobs() {
		if _, err := s.scheduler.ScheduleJob(ctx, r); err != nil {
			st := status.Convert(err)
			answer.Refused = append(answer.Refused, &bulkv1.Refusal{Index: uint32(i), Code: int32(st.Code()), Message: st.Message()})
		}
	}
	return answer, nil
}

func (s *bulkScheduler) ScheduleJobsWithExt(
	ctx context.Context, r *bulkv1.ScheduleJobsWithExtRequest,
) (*bulkv1.ScheduleJobsResponse, error) {
	s.mu.Lock()
	old := s.old
	s.mu.Unlock()
	if old {
		return s.UnimplementedBulkServer.ScheduleJobsWithExt(ctx, r)
	}
	request := new(bulkv1.ScheduleJobsRequest)
	for _, j := range r.GetJobs() {
		request.Jobs = append(request.Jobs, j.GetJob())
	}
	answer, err := s.ScheduleJobs(ctx, request)
	refused := map[uint32]bool{}
	for _, j := range answer.GetRefused() {
		refused[j.GetIndex()] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, j := range r.GetJobs() {
		if err == nil && !refused[uint32(i)] {
			s.exts[jobKey(j.GetJob().GetMetadata(), j.GetJob().GetName())] = j.GetExt()
		}
	}
	return answer, err
}

// ext returns the ext of the job that was scheduled under "namespace|app|name", or nil.
func (s *bulkScheduler) ext(key string) *bulkv1.JobExt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exts[key]
}

// becomeOld makes s one that does not know ScheduleJobsWithExt.
func (s *bulkScheduler) becomeOld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old = true
}

func (s *bulkScheduler) set(hold chan struct{}, fails error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold, s.fails = hold, fails
}

// seen returns how many jobs each call had.
func (s *bulkScheduler) seen() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// startBulk is start with a scheduler of ours.
func startBulk(t *testing.T, cfg sidecar.Config) (*fixture, *bulkScheduler) {
	t.Helper()
	n := new(network)
	s := &scheduler{
		t: t, network: n, address: schedulerAddress, hosts: []string{schedulerAddress},
		jobs: make(map[string]*schedulerv1.ScheduleJobRequest), changed: make(chan struct{}),
	}
	s.bulk = &bulkScheduler{scheduler: s, exts: map[string]*bulkv1.JobExt{}}
	s.serve()
	t.Cleanup(func() { s.die() })
	f := &fixture{network: n, t: t, scheduler: s}
	cfg.Schedulers = []string{schedulerAddress}
	f.run(cfg)
	return f, s.bulk
}

// jobLines returns a batch of n jobs, one on each line.
func jobLines(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"name":"%s%d","dueTime":"1h"}`+"\n", prefix, i)
	}
	return b.String()
}

func TestSingleJobIsOneCallOfDaprsService(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		if got := f.send("POST", "/v1.0/jobs/one", `{"dueTime":"1h"}`); got.code != 204 {
			t.Errorf("%d %s", got.code, got.body)
		}
		f.scheduler.mu.Lock()
		defer f.scheduler.mu.Unlock()
		if calls := bulk.seen(); len(calls) > 0 || !slices.Equal(f.scheduler.calls, []string{"schedule"}) {
			t.Errorf("calls with many jobs: %v, others: %q; want one of ScheduleJob", calls, f.scheduler.calls)
		}
	})
}

func TestBatchTakesOneCallForThousandJobs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		if got := f.send("POST", batchPath, jobLines("job", 2500), asLines); got.code != 200 {
			t.Errorf("%d %.500s", got.code, got.body)
		}
		sum := 0
		for _, n := range bulk.seen() {
			if sum += n; n > 1000 {
				t.Errorf("a call had %d jobs, want 1,000 at most", n)
			}
		}
		if calls := bulk.seen(); sum != 2500 || len(calls) > 3 {
			t.Errorf("calls with %v jobs, want 2,500 in three", calls)
		}
	})
}

func TestBulkRefusalGoesToItsJob(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, _ := startBulk(t, sidecar.Config{})
		if got := f.send("POST", "/v1.0/jobs/job3", `{"dueTime":"1h"}`); got.code != 204 {
			t.Fatalf("%d %s", got.code, got.body)
		}
		got := f.send("POST", batchPath, jobLines("job", 5), asLines)
		for i, line := range strings.Split(strings.TrimSpace(got.body), "\n") {
			if want := fmt.Sprintf(`{"name":"job%d","status":%d`, i, map[bool]int{true: 409, false: 204}[i == 3]); !strings.HasPrefix(line, want) {
				t.Errorf("line %d is %s, want %s", i, line, want)
			}
		}
	})
}

// The outcome of a call that fails on its way is unknown: a second one could fire a job twice.
func TestFailedBulkCallIsNotRepeated(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		bulk.set(nil, status.Error(codes.Unavailable, "gone"))
		got := f.send("POST", batchPath, jobLines("lost", 2), asLines)
		if n := strings.Count(got.body, `"status":503`); n != 2 || !strings.Contains(got.body, "failed to schedule job due to: rpc error: code = Unavailable desc = gone") {
			t.Errorf("%d %s", got.code, got.body)
		}
		bulk.set(nil, nil)
		if got := f.send("POST", batchPath, jobLines("next", 2), asLines); got.code != 200 {
			t.Errorf("after it: %d %s", got.code, got.body)
		}
		if calls := bulk.seen(); len(calls) != 2 {
			t.Errorf("%d calls, want each batch sent once", len(calls))
		}
	})
}

func TestBulkCallEndsAfterThirtySeconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		bulk.set(make(chan struct{}), nil)
		before := time.Now()
		got := f.send("POST", batchPath, jobLines("held", 2), asLines)
		if took := time.Since(before); took != 30*time.Second || strings.Count(got.body, "DeadlineExceeded") != 2 {
			t.Errorf("after %v: %d %s; want the deadline after 30s", took, got.code, got.body)
		}
	})
}

func TestMissingBulkServiceIsTriedAgainAfterMinute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		send := func(name string) {
			t.Helper()
			if got := f.send("POST", batchPath, jobLines(name, 2), asLines); got.code != 200 {
				t.Errorf("%d %s", got.code, got.body)
			}
		}
		send("a")
		send("b")
		f.scheduler.die() // and one of ours replaces it
		f.scheduler.bulk = &bulkScheduler{scheduler: f.scheduler}
		f.scheduler.serve()
		send("c")
		if calls := f.scheduler.bulk.seen(); len(calls) > 0 {
			t.Errorf("calls with %v jobs within a minute, want none", calls)
		}
		time.Sleep(time.Minute)
		send("d")
		if calls := f.scheduler.bulk.seen(); !slices.Equal(calls, []int{2}) {
			t.Errorf("calls with %v jobs after a minute, want one with two", calls)
		}
	})
}

func TestOversizedJobFailsAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{MaxBody: 16 << 20})
		large := `{"name":"large","dueTime":"1h","data":"` + strings.Repeat("x", 5<<20) + `"}` + "\n"
		got := f.send("POST", batchPath, jobLines("a", 2)+large+jobLines("b", 2), asLines)
		if strings.Count(got.body, `"status":204`) != 4 || strings.Count(got.body, "received message larger than max") != 1 {
			t.Errorf("%d %s, want gRPC's own text for the large one alone", got.code, got.body)
		}
		if len(bulk.seen()) == 0 {
			t.Error("the others were not stored together")
		}
	})
}

func TestBulkCallIsCountedAsItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		f, _ := startBulk(t, sidecar.Config{Metrics: r})
		f.send("POST", "/v1.0/jobs/one", `{"dueTime":"1h"}`)
		f.send("POST", batchPath, jobLines("job", 10), asLines)
		const calls = `dapr_grpc_io_client_completed_rpcs{app_id="sub",grpc_client_method=`
		wantSeries(t, "calls", series(r, "dapr_grpc_io_client_completed"),
			calls+`"/carillon.v1.Bulk/ScheduleJobs",grpc_client_status="OK"} 1`,
			calls+`"/dapr.proto.scheduler.v1.Scheduler/ScheduleJob",grpc_client_status="OK"} 1`)
	})
}
