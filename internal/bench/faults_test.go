package bench_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/bench"
)

// faultyScheduler is a Scheduler service in memory that delivers each job times(name) times, and
// early before it is due.
type faultyScheduler struct {
	schedulerv1.UnimplementedSchedulerServer
	times func(name string) int
	early time.Duration

	mu   sync.Mutex
	jobs map[string]chan *schedulerv1.ScheduleJobRequest // guarded by mu; by app
}

// startFaulty serves s until the test ends, and returns its address.
func startFaulty(t *testing.T, c *faultyScheduler) string {
	t.Helper()
	c.jobs = map[string]chan *schedulerv1.ScheduleJobRequest{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	schedulerv1.RegisterSchedulerServer(s, c)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func (c *faultyScheduler) of(app string) chan *schedulerv1.ScheduleJobRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jobs[app] == nil {
		c.jobs[app] = make(chan *schedulerv1.ScheduleJobRequest, 1000)
	}
	return c.jobs[app]
}

func (c *faultyScheduler) ScheduleJob(_ context.Context, r *schedulerv1.ScheduleJobRequest) (*schedulerv1.ScheduleJobResponse, error) {
	select {
	case c.of(r.GetMetadata().GetAppId()) <- r:
		return new(schedulerv1.ScheduleJobResponse), nil
	default:
		return nil, status.Error(codes.ResourceExhausted, "full")
	}
}

func (c *faultyScheduler) DeleteByMetadata(
	context.Context, *schedulerv1.DeleteByMetadataRequest,
) (*schedulerv1.DeleteByMetadataResponse, error) {
	return new(schedulerv1.DeleteByMetadataResponse), nil
}

// WatchJobs delivers jobs one after the other, which may make the later ones late.
func (c *faultyScheduler) WatchJobs(stream schedulerv1.Scheduler_WatchJobsServer) error {
	initial, err := stream.Recv()
	if err != nil {
		return err
	}
	for {
		select {
		case <-stream.Context().Done():
			return nil
		case r := <-c.of(initial.GetInitial().GetAppId()):
			due, err := time.Parse(time.RFC3339Nano, r.GetJob().GetDueTime())
			if err != nil {
				return err
			}
			timer := time.NewTimer(time.Until(due) - c.early)
			<-timer.C
			for range c.times(r.GetName()) {
				if err := stream.Send(&schedulerv1.WatchJobsResponse{Name: r.GetName()}); err != nil {
					return err
				}
			}
		}
	}
}

// TestWrongOccurrenceFailsRun measures servers that lose, repeat or hurry triggers.
func TestWrongOccurrenceFailsRun(t *testing.T) {
	once := func(string) int { return 1 }
	other := func(times int) func(string) int {
		return func(name string) int {
			if name == "7" {
				return times
			}
			return 1
		}
	}
	for name, test := range map[string]struct {
		server *faultyScheduler
		want   string // in its one fault; "" if there is none
	}{
		"good":       {&faultyScheduler{times: once}, ""},
		"one lost":   {&faultyScheduler{times: other(0)}, "1 lost, 0 early, 0 twice"},
		"one twice":  {&faultyScheduler{times: other(2)}, "0 lost, 0 early, 1 twice"},
		"all early":  {&faultyScheduler{times: once, early: time.Second}, "early"},
		"not at all": {&faultyScheduler{times: func(string) int { return 0 }}, "20 lost, 0 early"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := bench.Run(t.Context(), bench.Config{
				Sizes:     bench.Sizes{Idle: 200 * time.Millisecond, Linger: 500 * time.Millisecond, Patience: time.Second},
				Only:      []int{6},
				Scheduler: startFaulty(t, test.server),
				Callers:   1, Connections: 1,
				Dir: t.TempDir(),
			}, func(bench.Progress) {})
			if err != nil {
				t.Fatal(err)
			}
			faults := report.Faults()
			switch {
			case test.want == "" && len(faults) > 0:
				t.Errorf("faults %q, want none", faults)
			case test.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], test.want)):
				t.Errorf("faults %q, want one of %q", faults, test.want)
			}
		})
	}
}

// TestFailedMeasurementSaysWhy measures a server without a call that the measure needs.
func TestFailedMeasurementSaysWhy(t *testing.T) {
	report, err := bench.Run(t.Context(), bench.Config{
		Sizes:     bench.Sizes{List: 10},
		Only:      []int{11},
		Scheduler: startFaulty(t, &faultyScheduler{}),
		Callers:   1, Connections: 1,
		Dir: t.TempDir(),
	}, func(bench.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	if faults := report.Faults(); len(faults) != 1 || !strings.Contains(faults[0], "ListJobs not implemented") {
		t.Errorf("faults %q, want one that says what is not implemented", faults)
	}
}

func TestInvalidConfigIsRefused(t *testing.T) {
	good := bench.Config{Callers: 1, Connections: 1}
	for want, change := range map[string]func(c *bench.Config){
		"0 callers":           func(c *bench.Config) { c.Callers = 0 },
		"-1 connections":      func(c *bench.Config) { c.Connections = -1 },
		"payload of -1":       func(c *bench.Config) { c.Payload = -1 },
		"no row 99":           func(c *bench.Config) { c.Only = []int{1, 99} },
		"--app-port":          func(c *bench.Config) { c.Sidecar = "http://127.0.0.1:3500" },
		"no URL of a sidecar": func(c *bench.Config) { c.Sidecar, c.AppID, c.AppPort = "127.0.0.1:3500", "a", 1 },
		"needs a server":      func(c *bench.Config) { c.Only, c.Scheduler = []int{1, 8}, "127.0.0.1:1" },
	} {
		c := good
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if err := good.Check(); err != nil {
		t.Errorf("error %v, want none", err)
	}
}
