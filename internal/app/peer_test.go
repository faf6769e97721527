package app_test

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/scheduler"
	"carillon/internal/store/pebblestore"
)

// These tests act as an unmodified sidecar: they speak Dapr's protocol to a scheduler with a real engine
// and a real store, both correctly and incorrectly.

// peer is a scheduler node in memory with a client.
type peer struct {
	schedulerv1.SchedulerClient
	t    *testing.T
	conn *grpc.ClientConn
	dial func(context.Context, string) (net.Conn, error) // to the scheduler, whatever the address
	stop func()
}

func startScheduler(t *testing.T, disk vfs.FS) *peer {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	st, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: disk, NoTickers: true}, log)
	if err != nil {
		t.Fatal(err)
	}
	d := dispatch.New(dispatch.Config{})
	e := engine.New(engine.Config{Partitions: 8}, st, d, log)
	s := scheduler.New(scheduler.Config{Hosts: []string{"memory:50006"}}, e, d, log)
	l := bufconn.Listen(64 << 10)
	ctx, cancel := context.WithCancel(t.Context())
	engineCtx, stopEngine := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx, l); err != nil {
			t.Error(err)
		}
		stopEngine()
	})
	running.Go(func() {
		if err := e.Run(engineCtx); err != nil {
			t.Error(err)
		}
	})
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(dial))
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{SchedulerClient: schedulerv1.NewSchedulerClient(conn), t: t, conn: conn, dial: dial}
	p.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		_ = conn.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
	return p
}

func jobMeta(app string) *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{
		AppId: app, Namespace: "ns",
		Target: &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Job{Job: &schedulerv1.TargetJob{}}},
	}
}

func actorMeta(app, actor, id string) *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{
		AppId: app, Namespace: "ns",
		Target: &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Actor{
			Actor: &schedulerv1.TargetActorReminder{Type: actor, Id: id},
		}},
	}
}

// forEver returns the failure policy of workflow reminders: a retry each second, without a limit.
func forEver() *commonv1.JobFailurePolicy {
	return &commonv1.JobFailurePolicy{Policy: &commonv1.JobFailurePolicy_Constant{
		Constant: &commonv1.JobFailurePolicyConstant{Interval: durationpb.New(time.Second)},
	}}
}

func (p *peer) schedule(name string, meta *schedulerv1.JobMetadata, j *schedulerv1.Job) {
	p.t.Helper()
	_, err := p.ScheduleJob(p.t.Context(), &schedulerv1.ScheduleJobRequest{Name: name, Metadata: meta, Job: j, Overwrite: true})
	if err != nil {
		p.t.Fatalf("schedule %s: %v", name, err)
	}
}

func (p *peer) exists(name string, meta *schedulerv1.JobMetadata) bool {
	p.t.Helper()
	_, err := p.GetJob(p.t.Context(), &schedulerv1.GetJobRequest{Name: name, Metadata: meta})
	if err != nil && status.Code(err) != codes.NotFound {
		p.t.Fatal(err)
	}
	return err == nil
}

// watcher is one stream of a sidecar. It records its triggers and answers them at once, or on demand.
type watcher struct {
	t      *testing.T
	stream schedulerv1.Scheduler_WatchJobsClient
	cancel func()
	answer func(*schedulerv1.WatchJobsResponse) (schedulerv1.WatchJobsRequestResultStatus, bool)

	mu  sync.Mutex
	got []*schedulerv1.WatchJobsResponse
}

const (
	success = schedulerv1.WatchJobsRequestResultStatus_SUCCESS
	failed  = schedulerv1.WatchJobsRequestResultStatus_FAILED
)

// watch opens a stream for an app and actor types. If answer is nil, no trigger is answered.
func (p *peer) watch(app string, actors []string, answer func(*schedulerv1.WatchJobsResponse) (schedulerv1.WatchJobsRequestResultStatus, bool)) *watcher {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	stream, err := p.WatchJobs(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	w := &watcher{t: p.t, stream: stream, cancel: cancel, answer: answer}
	initial := &schedulerv1.WatchJobsRequestInitial{AppId: app, Namespace: "ns", ActorTypes: actors}
	w.send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{Initial: initial}})
	go w.receive()
	synctest.Wait()
	return w
}

func (w *watcher) receive() {
	for {
		m, err := w.stream.Recv()
		if err != nil {
			return
		}
		w.mu.Lock()
		w.got = append(w.got, m)
		w.mu.Unlock()
		if w.answer != nil {
			if s, now := w.answer(m); now {
				w.result(m.GetId(), s)
			}
		}
	}
}

func (w *watcher) send(r *schedulerv1.WatchJobsRequest) {
	if err := w.stream.Send(r); err != nil {
		w.t.Logf("the stream is gone: %v", err)
	}
}

func (w *watcher) result(id uint64, s schedulerv1.WatchJobsRequestResultStatus) {
	r := &schedulerv1.WatchJobsRequestResult{Id: id, Status: s}
	w.send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Result{Result: r}})
}

// names returns the names of the triggers received since the last call.
func (w *watcher) names() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var names []string
	for _, m := range w.got {
		names = append(names, m.GetName())
	}
	w.got = nil
	return names
}

func always(s schedulerv1.WatchJobsRequestResultStatus) func(*schedulerv1.WatchJobsResponse) (schedulerv1.WatchJobsRequestResultStatus, bool) {
	return func(*schedulerv1.WatchJobsResponse) (schedulerv1.WatchJobsRequestResultStatus, bool) { return s, true }
}
