package scheduler_test

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/dispatch"
	"carillon/internal/job"
	"carillon/internal/scheduler"
	"carillon/internal/wire"
)

// One trigger's whole way over a loopback connection, with up to a thousand out: delivered, sent,
// answered, settled.
func BenchmarkWatchJobs(b *testing.B) {
	ctx, stop := context.WithCancel(b.Context())
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	d := dispatch.New(dispatch.Config{MaxInFlight: 1000})
	s := scheduler.New(scheduler.Config{}, new(memory), d, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l, scheduler.Keepalive()) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	stream, err := schedulerv1.NewSchedulerClient(conn).WatchJobs(ctx)
	if err != nil {
		b.Fatal(err)
	}
	first := &schedulerv1.WatchJobsRequest_Initial{Initial: hello("ns", "app")}
	if err := stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: first}); err != nil {
		b.Fatal(err)
	}
	go func() {
		for m, err := stream.Recv(); err == nil; m, err = stream.Recv() {
			if err := stream.Send(wire.Result(m.GetId(), job.Handled)); err != nil {
				return
			}
		}
	}()

	t := job.Trigger{Key: job.Key{Target: appTarget("ns", "app"), Name: "a-job-with-a-name"}, AppID: "app"}
	t.Data = &job.Data{Value: make([]byte, 100)}
	capacity := make(chan int, 1)
	b.ReportAllocs()
	for b.Loop() {
		for !d.Deliver(t, func(job.Outcome) {}, func(n int) { capacity <- n }) {
			<-capacity
		}
	}
	for d.Stats().InFlight > 0 {
		runtime.Gosched()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "triggers/s")
	conn.Close()
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// One call that schedules a small job, over a loopback connection, from 128 callers. Its time on
// the processor includes the client's.
func BenchmarkScheduleJob(b *testing.B) {
	ctx, stop := context.WithCancel(b.Context())
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := scheduler.New(scheduler.Config{}, idle{}, dispatch.New(dispatch.Config{}), slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l, scheduler.Keepalive()) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	client := schedulerv1.NewSchedulerClient(conn)
	req := &schedulerv1.ScheduleJobRequest{
		Name: "a-job-with-a-name", Job: &schedulerv1.Job{Schedule: new("@every 1h"), Data: &anypb.Any{Value: make([]byte, 64)}},
		Metadata: wire.APIMetadata(appTarget("ns", "app")),
	}
	before := processorTime(b)
	b.ReportAllocs()
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := client.ScheduleJob(ctx, req); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
	conn.Close()
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// idle is where jobs are scheduled without any effect.
type idle struct{ scheduler.Jobs }

func (idle) Schedule(context.Context, job.Key, job.Spec, bool) error { return nil }

// processorTime is how long this process has had a processor.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
