package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"carillon/internal/app"
	"carillon/internal/bulkv1"
	"carillon/internal/memnet"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
)

// TestAFloodOfOneNamespaceWithAQuotaIsNotNoticedByAnother is in real time, on a real disk: make flood runs it. One
// namespace schedules 200 jobs a second; another as many as 64 callers and four streams can, of which its quota lets 500
// through. The flood is in this process, too, and takes its share of the processor.
func TestAFloodOfOneNamespaceWithAQuotaIsNotNoticedByAnother(t *testing.T) {
	if os.Getenv("CARILLON_TEST_FLOOD") == "" {
		t.Skip("it measures, in real time: make flood runs it")
	}
	for _, rate := range []float64{500, 0} {
		t.Run(fmt.Sprintf("quota=%v", rate), func(t *testing.T) {
			address := startFlooded(t, rate)
			quiet := lateness(t, address, 4*time.Second)
			var flooded atomic.Int64
			stop := flood(t, address, &flooded)
			loud := lateness(t, address, 4*time.Second)
			stop()
			t.Logf("alone: %v; beside %d calls a second of another: %v", quiet, flooded.Load()/4, loud)
			if rate > 0 && loud.p99 > 2*quiet.p99+20*time.Millisecond {
				t.Errorf("the 99th percentile was %v, and is %v", quiet.p99, loud.p99)
			}
		})
	}
}

// startFlooded runs a scheduler with a quota of calls a second, until the test ends.
func startFlooded(t *testing.T, rate float64) (address string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := app.Config{Store: pebblestore.Config{Dir: t.TempDir()}}
	cfg.Scheduler = scheduler.Config{Hosts: []string{l.Addr().String()}, Quota: scheduler.Quota{Rate: rate}}
	node, err := app.OpenScheduler(cfg, app.SchedulerListeners{Scheduler: l, Health: memnet.Listen()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- node.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func connect(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func flooding(ns string, n int64) *schedulerv1.ScheduleJobRequest {
	m := jobMeta("app")
	m.Namespace = ns
	return &schedulerv1.ScheduleJobRequest{Name: fmt.Sprint("job", n%10_000), Metadata: m, Job: &schedulerv1.Job{DueTime: new("1h")}, Overwrite: true}
}

// percentiles say how long calls took.
type percentiles struct{ p50, p99, most time.Duration }

// lateness schedules 200 jobs a second in the namespace quiet. Each is counted from when it was to be made.
func lateness(t *testing.T, address string, lasts time.Duration) percentiles {
	t.Helper()
	const gap = 5 * time.Millisecond
	client := schedulerv1.NewSchedulerClient(connect(t, address))
	took := make([]time.Duration, lasts/gap)
	var calls sync.WaitGroup
	began := time.Now()
	for i := range took {
		at := began.Add(time.Duration(i) * gap)
		time.Sleep(time.Until(at))
		calls.Go(func() {
			if _, err := client.ScheduleJob(t.Context(), flooding("quiet", int64(i))); err != nil {
				t.Error(err)
			}
			took[i] = time.Since(at)
		})
	}
	calls.Wait()
	slices.Sort(took)
	return percentiles{took[len(took)/2], took[len(took)*99/100], took[len(took)-1]}
}

// flood schedules as many jobs as it can in the namespace loud until it is stopped, and counts them.
func flood(t *testing.T, address string, made *atomic.Int64) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 4 {
		conn := connect(t, address)
		for range 16 {
			callers.Go(func() {
				client := schedulerv1.NewSchedulerClient(conn)
				for ctx.Err() == nil {
					_, err := client.ScheduleJob(ctx, flooding("loud", made.Add(1)))
					if c := status.Code(err); c != codes.OK && c != codes.ResourceExhausted && ctx.Err() == nil {
						t.Error(err)
						return
					}
				}
			})
		}
		callers.Go(func() {
			stream, err := bulkv1.NewBulkClient(conn).Schedule(ctx)
			for err == nil {
				m := new(bulkv1.ScheduleRequest)
				for range 1000 {
					m.Jobs = append(m.Jobs, flooding("loud", made.Add(1)))
				}
				if err = stream.Send(m); err == nil {
					_, err = stream.Recv()
				}
			}
		})
	}
	return func() {
		cancel()
		callers.Wait()
	}
}
