package sidecar_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
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

	mu      sync.Mutex // guards the fields below
	streams int
	groups  []int         // how many jobs each message had
	hold    chan struct{} // if set, answers wait for it
	end     error         // if set, streams end so instead of the next answer; io.EOF is a clean end
}

func (s *bulkScheduler) Schedule(stream bulkv1.Bulk_ScheduleServer) error {
	s.mu.Lock()
	s.streams++
	s.mu.Unlock()
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil //nolint:nilerr // the client has disconnected
		}
		s.mu.Lock()
		if len(m.GetJobs()) > 0 {
			s.groups = append(s.groups, len(m.GetJobs()))
		}
		hold := s.hold
		s.mu.Unlock()
		if hold != nil && len(m.GetJobs()) > 0 {
			select {
			case <-hold:
			case <-stream.Context().Done():
				return nil
			}
		}
		s.mu.Lock()
		end := s.end
		s.mu.Unlock()
		if end != nil && len(m.GetJobs()) > 0 {
			if errors.Is(end, io.EOF) {
				return nil
			}
			return end
		}
		answer := new(bulkv1.ScheduleResponse)
		for i, r := range m.GetJobs() {
			if _, err := s.scheduler.ScheduleJob(stream.Context(), r); err != nil {
				st := status.Convert(err)
				answer.Refused = append(answer.Refused, &bulkv1.Refusal{Index: uint32(i), Code: int32(st.Code()), Message: st.Message()})
			}
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func (s *bulkScheduler) set(hold chan struct{}, end error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold, s.end = hold, end
}

func (s *bulkScheduler) seen() (streams int, groups []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams, slices.Clone(s.groups)
}

// startBulk is start with a scheduler of ours.
func startBulk(t *testing.T, cfg sidecar.Config) (*fixture, *bulkScheduler) {
	t.Helper()
	n := new(network)
	s := &scheduler{
		t: t, network: n, address: schedulerAddress, hosts: []string{schedulerAddress},
		jobs: make(map[string]*schedulerv1.ScheduleJobRequest), changed: make(chan struct{}),
	}
	s.bulk = &bulkScheduler{scheduler: s}
	s.serve()
	t.Cleanup(func() { s.die() })
	f := &fixture{network: n, t: t, scheduler: s}
	cfg.Schedulers = []string{schedulerAddress}
	f.run(cfg)
	return f, s.bulk
}

// openStream makes the sidecar open its bulk stream, by scheduling a job of that name.
func (f *fixture) openStream(name string) {
	f.t.Helper()
	if got := f.send("POST", "/v1.0/jobs/"+name, `{"dueTime":"1h"}`); got.code != 204 {
		f.t.Fatalf("%d %s", got.code, got.body)
	}
	synctest.Wait()
}

// scheduleMany makes n concurrent calls over gRPC. The results are returned when all have ended.
func (f *fixture) scheduleMany(ctx context.Context, prefix string, n int) (results func() []error) {
	api := runtimev1.NewDaprClient(f.grpc())
	errs := make([]error, n)
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() {
			_, errs[i] = api.ScheduleJob(ctx, &runtimev1.ScheduleJobRequest{
				Job: &runtimev1.Job{Name: fmt.Sprint(prefix, i), DueTime: new("1h")},
			})
		})
	}
	return func() []error {
		calls.Wait()
		return errs
	}
}

func TestConcurrentSchedulesShareMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		f.openStream("first") // is sent alone, and opens the stream
		before := time.Now()
		f.openStream("alone")
		if took := time.Since(before); took != 0 {
			t.Errorf("a lone call took %v", took)
		}
		if streams, groups := bulk.seen(); streams != 1 || !slices.Equal(groups, []int{1}) {
			t.Errorf("%d streams with messages of %v jobs, want one with one of one", streams, groups)
		}
		hold := make(chan struct{})
		bulk.set(hold, nil)
		const n = 900
		results := f.scheduleMany(t.Context(), "many", n)
		time.Sleep(time.Second)
		synctest.Wait()
		close(hold)
		if err := errors.Join(results()...); err != nil {
			t.Error(err)
		}
		streams, groups := bulk.seen()
		sum := 0
		for _, g := range groups {
			sum += g
		}
		if streams != 1 || sum != n+1 || len(groups) > 1+4+1 {
			t.Errorf("%d streams with messages of %v jobs, want four messages while none is answered, and then one", streams, groups)
		}
	})
}

func TestBulkRefusalGoesToItsCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, _ := startBulk(t, sidecar.Config{})
		single := f.send("POST", "/v1.0/jobs/many1", `{"dueTime":"1h"}`)
		synctest.Wait()
		before := f.send("POST", "/v1.0/jobs/many1", `{"dueTime":"1h"}`)
		if single.code != 204 || before.code != 409 {
			t.Fatalf("%d, %d", single.code, before.code)
		}
		for i, err := range f.scheduleMany(t.Context(), "many", 5)() {
			if got := status.Code(err); (got == codes.AlreadyExists) != (i == 1) || got != codes.OK && i != 1 {
				t.Errorf("job %d: %v", i, err)
			}
		}
	})
}

func TestBrokenBulkStreamFailsItsCallsAndReopens(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		f.openStream("first")
		bulk.set(nil, status.Error(codes.Unavailable, "gone"))
		got := f.send("POST", "/v1.0/jobs/lost", `{"dueTime":"1h"}`)
		if got.code != 503 || !strings.Contains(got.body, "failed to schedule job due to: rpc error: code = Unavailable desc = gone") {
			t.Errorf("%d %s", got.code, got.body)
		}
		bulk.set(nil, nil)
		f.openStream("next")
		f.openStream("again")
		if streams, groups := bulk.seen(); streams != 2 || len(groups) != 2 {
			t.Errorf("%d streams, messages of %v jobs; want the second stream used", streams, groups)
		}
	})
}

func TestGracefulSchedulerStopAnswersAllCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		f.openStream("first")
		bulk.set(nil, io.EOF)
		if got := f.send("POST", "/v1.0/jobs/next", `{"dueTime":"1h"}`); got.code != 204 {
			t.Errorf("%d %s, want the call to be made in another way", got.code, got.body)
		}
		if f.scheduler.job("default|sub|next") == nil {
			t.Error("the job is not there")
		}
	})
}

func TestBulkCallEndsWithCallerOrTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		f.openStream("first")
		hold := make(chan struct{})
		bulk.set(hold, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		held := f.scheduleMany(t.Context(), "held", 10)
		synctest.Wait()
		before := time.Now()
		for _, err := range f.scheduleMany(ctx, "short", 3)() {
			if status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("%v, want the deadline", err)
			}
		}
		for _, err := range held() {
			if status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("%v, want the deadline", err)
			}
		}
		if took := time.Since(before); took != 30*time.Second {
			t.Errorf("the sidecar waited %v for its scheduler, want 30s", took)
		}
	})
}

func TestUnimplementedBulkStreamIsRetriedAfterMinute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		for i := range 20 {
			f.openStream(fmt.Sprint("job", i))
		}
		f.scheduler.mu.Lock()
		calls := len(f.scheduler.calls)
		f.scheduler.mu.Unlock()
		if calls != 20 {
			t.Errorf("%d calls, want each made once", calls)
		}
		f.scheduler.die() // and one of ours replaces it
		f.scheduler.bulk = &bulkScheduler{scheduler: f.scheduler}
		f.scheduler.serve()
		time.Sleep(2 * time.Minute)
		f.openStream("a")
		f.openStream("b")
		if _, groups := f.scheduler.bulk.seen(); !slices.Equal(groups, []int{1}) {
			t.Errorf("messages of %v jobs, want one of one", groups)
		}
	})
}

func TestOversizedJobBypassesBulkStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{MaxBody: 16 << 20})
		f.openStream("first")
		large := `{"dueTime":"1h","data":"` + strings.Repeat("x", 5<<20) + `"}`
		got := f.send("POST", "/v1.0/jobs/large", large)
		if got.code != 429 || !strings.Contains(got.body, "received message larger than max") {
			t.Errorf("%d %s, want gRPC's own words", got.code, got.body)
		}
		f.openStream("next")
		if streams, _ := bulk.seen(); streams != 1 {
			t.Errorf("%d streams, want the first one to have lasted", streams)
		}
	})
}

func TestBulkCallsAreCountedSingly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := prometheus.NewPedanticRegistry()
		f, _ := startBulk(t, sidecar.Config{Metrics: r})
		f.openStream("many0")
		for i, err := range f.scheduleMany(t.Context(), "many", 10)() {
			if i > 0 && err != nil {
				t.Error(err)
			}
		}
		const calls = `dapr_grpc_io_client_completed_rpcs{app_id="sub",grpc_client_method="/dapr.proto.scheduler.v1.Scheduler/ScheduleJob"`
		wantSeries(t, "calls", series(r, "dapr_grpc_io_client_completed"),
			calls+`,grpc_client_status="AlreadyExists"} 1`, calls+`,grpc_client_status="OK"} 10`)
	})
}
