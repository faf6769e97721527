package delivery

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"

	"carillon/internal/job"
	"carillon/internal/pause"
	"carillon/internal/sidecar/appclient"
	"carillon/internal/wire"
)

// The range of the delay after an attempt that a local error prevented. Half of it is random.
const (
	minRetryDelay = 100 * time.Millisecond
	maxRetryDelay = 2 * time.Second
)

// A stream receives the triggers for an app from one scheduler, and answers them.
type stream struct {
	appID, namespace, host string
	app                    *appclient.Client
	maxWorkers             int
	limit                  *triggerLimit
	connect                func(address string) (*grpc.ClientConn, error)
	metrics                metrics
	log                    *slog.Logger
}

// inFlight are the triggers that a stream has received and not yet answered.
type inFlight struct {
	usage   *streamUsage
	workers workers
}

// run keeps the stream open until ctx ends. When it returns, its calls to the app have ended.
func (s *stream) run(ctx context.Context) {
	conn, err := s.connect(s.host)
	if err != nil { // an invalid address; the list was refused, too
		s.log.ErrorContext(ctx, "cannot connect to scheduler", slog.Any("err", err))
		return
	}
	defer func() { _ = conn.Close() }()
	work := &inFlight{usage: s.limit.join(), workers: workers{max: s.maxWorkers}}
	defer work.usage.leave()
	defer work.workers.running.Wait()
	// Only the first of several failures is a warning. A stream that is refused as soon as it is open
	// is refused twice a second, and then neither event is logged.
	stable, level := true, slog.LevelWarn
	for {
		var opened time.Time
		err := s.receive(ctx, schedulerv1.NewSchedulerClient(conn), work, func() {
			opened = time.Now()
			if stable {
				s.log.InfoContext(ctx, "Scheduler stream connected for [JOB_TARGET_TYPE_JOB]")
			}
		})
		if ctx.Err() != nil {
			return
		}
		stable = opened.IsZero() || time.Since(opened) >= time.Second
		if stable && !opened.IsZero() {
			level = slog.LevelWarn
		}
		s.log.Log(ctx, level, "scheduler stream ended; it is opened again", slog.Any("err", err))
		level = slog.LevelDebug
		if !pause.Between(ctx, 250*time.Millisecond, 750*time.Millisecond) {
			return
		}
	}
}

// receive opens the stream once, calls connected, and delivers triggers until the stream breaks.
// Triggers in flight go on; they end with ctx.
func (s *stream) receive(
	ctx context.Context, c schedulerv1.SchedulerClient, work *inFlight, connected func(),
) error {
	streamCtx, cancel := context.WithCancel(ctx)
	defer cancel() // unblocks workers that are sending an answer
	st, err := c.WatchJobs(streamCtx)
	if err != nil {
		return err
	}
	initial := &schedulerv1.WatchJobsRequestInitial{
		AppId: s.appID, Namespace: s.namespace,
		AcceptJobTypes: []schedulerv1.JobTargetType{schedulerv1.JobTargetType_JOB_TARGET_TYPE_JOB},
	}
	if err := st.Send(&schedulerv1.WatchJobsRequest{
		WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{Initial: initial},
	}); err != nil {
		return err
	}
	connected()
	open := s.metrics.streams()
	open.Inc()
	defer open.Dec()
	answers := &answerSender{stream: st}
	for {
		if err := work.usage.acquire(ctx, triggerAmount{1, 0}); err != nil {
			return err
		}
		m, err := st.Recv()
		if err != nil {
			work.usage.release(triggerAmount{1, 0})
			return err
		}
		bytes := int64(len(m.GetData().GetValue()))
		if err := work.usage.acquire(ctx, triggerAmount{0, bytes}); err != nil {
			work.usage.release(triggerAmount{1, 0})
			return err
		}
		triggersInWork := s.metrics.triggersInWork()
		triggersInWork.Inc()
		work.workers.add(func() {
			defer work.usage.release(triggerAmount{1, bytes})
			defer triggersInWork.Dec()
			if outcome := s.deliver(ctx, streamCtx, m); outcome != job.Lost {
				answers.send(m.GetId(), outcome)
			}
		})
	}
}

// deliver calls the app. It repeats an attempt that a local error prevented, until one succeeds or
// streamCtx ends: the protocol has no answer for a lost trigger, and the scheduler would wait.
// The outcome is Lost if ctx or streamCtx ended first; the scheduler then delivers it again.
func (s *stream) deliver(
	ctx, streamCtx context.Context, m *schedulerv1.WatchJobsResponse,
) job.Outcome {
	t, err := wire.Trigger(m)
	if err == nil && t.Key.Target.Kind != job.App {
		err = errors.New("it is for an actor, and there are none here")
	}
	if err != nil {
		s.log.WarnContext(ctx, "cannot deliver a trigger",
			slog.String("job", m.GetName()), slog.Any("err", err))
		s.metrics.attempts(outcomeLabel(job.Failed.String())).Inc()
		return job.Failed
	}
	for delay := minRetryDelay; ; delay = min(2*delay, maxRetryDelay) {
		result := s.app.Call(ctx, t)
		s.metrics.attempts(newOutcomeLabel(result)).Inc()
		if result.Outcome != job.Lost || !pause.Between(streamCtx, delay/2, delay) {
			return result.Outcome
		}
	}
}

// An answerSender sends answers on one stream, one at a time.
type answerSender struct {
	mu     sync.Mutex // held while sending
	stream schedulerv1.Scheduler_WatchJobsClient
}

// send tells the scheduler the outcome of the trigger with that ID. If the stream is broken, the
// answer is lost, and the scheduler delivers the trigger again.
func (a *answerSender) send(id uint64, outcome job.Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.stream.Send(wire.Result(id, outcome))
}
