package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// What all streams have in work at most. At either bound a stream receives no more: what the scheduler sends then fills the
// window of HTTP/2 flow control, and the rest stays with the scheduler.
const (
	maxInWork      = 10_000   // triggers
	maxBytesInWork = 64 << 20 // of their data, unless Config.MaxTriggerBytes says otherwise
)

// How long a trigger waits after an attempt that this process could not make: at least and at most, with half of it random.
const (
	leastWait = 100 * time.Millisecond
	mostWait  = 2 * time.Second
)

// A stream receives one scheduler's triggers for an app, and answers them.
type stream struct {
	appID, namespace, host string
	app                    *app
	triggers               *triggers
	connect                func(address string) (*grpc.ClientConn, error)
	log                    *slog.Logger
}

// A load is what a stream has in work: no more than the bounds, and no more of it with the app than the app can have at
// once. The rest waits in a queue, which costs less than a goroutine for each.
type load struct {
	share   *share
	running sync.WaitGroup // workers

	mu      sync.Mutex // guards the fields below
	workers int
	waiting []func() // if there are as many workers as there may be
}

// add calls work, in a goroutine that may be a new one, as soon as fewer than most others are called.
func (l *load) add(most int, work func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.workers >= most {
		l.waiting = append(l.waiting, work)
		return
	}
	l.workers++
	l.running.Go(func() {
		for work != nil {
			work()
			work = l.next()
		}
	})
}

// next returns what has waited longest, or nil, and then the worker that asks is to end.
func (l *load) next() func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.waiting = nil
		l.workers--
		return nil
	}
	work := l.waiting[0]
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	return work
}

// run keeps the stream open until ctx ends. When it returns, all calls to the app that it made have ended.
func (s *stream) run(ctx context.Context) {
	conn, err := s.connect(s.host)
	if err != nil { // an address that cannot be one; the list was refused then, too
		s.log.ErrorContext(ctx, "cannot connect to scheduler", slog.Any("err", err))
		return
	}
	defer func() { _ = conn.Close() }()
	work := &load{share: s.triggers.join()}
	defer work.share.leave()
	defer work.running.Wait()
	// The first failure of several is worth a warning. A stream that is refused as soon as it is open will be refused
	// again, twice a second; so then it is no news that it is open, either.
	news, failed := true, slog.LevelWarn
	for {
		var since time.Time
		err := s.receive(ctx, schedulerv1.NewSchedulerClient(conn), work, func() {
			since = time.Now()
			if news {
				s.log.InfoContext(ctx, "Scheduler stream connected for [JOB_TARGET_TYPE_JOB]")
			}
		})
		if ctx.Err() != nil {
			return
		}
		news = since.IsZero() || time.Since(since) >= time.Second
		if news && !since.IsZero() {
			failed = slog.LevelWarn
		}
		s.log.Log(ctx, failed, "scheduler stream ended; it is opened again", slog.Any("err", err))
		failed = slog.LevelDebug
		if !pause(ctx, 250*time.Millisecond, 750*time.Millisecond) {
			return
		}
	}
}

// receive opens the stream once, calls connected, and hands triggers over until it breaks. Triggers in work go on; they
// end with ctx.
func (s *stream) receive(
	ctx context.Context, c schedulerv1.SchedulerClient, work *load, connected func(),
) error {
	streamCtx, cancel := context.WithCancel(ctx)
	defer cancel() // lets go of whoever is about to answer on it
	st, err := c.WatchJobs(streamCtx)
	if err != nil {
		return err
	}
	err = st.Send(&schedulerv1.WatchJobsRequest{
		WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{Initial: &schedulerv1.WatchJobsRequestInitial{
			AppId: s.appID, Namespace: s.namespace,
			AcceptJobTypes: []schedulerv1.JobTargetType{schedulerv1.JobTargetType_JOB_TARGET_TYPE_JOB},
		}},
	})
	if err != nil {
		return err
	}
	connected()
	open := s.app.metrics.streams()
	open.Inc()
	defer open.Dec()
	answers := &answers{stream: st}
	for {
		if err := work.share.acquire(ctx, amount{1, 0}); err != nil {
			return err
		}
		m, err := st.Recv()
		if err != nil {
			work.share.release(amount{1, 0})
			return err
		}
		bytes := int64(len(m.GetData().GetValue()))
		if err := work.share.acquire(ctx, amount{0, bytes}); err != nil {
			work.share.release(amount{1, 0})
			return err
		}
		inWork := s.app.metrics.inWork()
		inWork.Inc()
		work.add(s.app.most, func() {
			defer work.share.release(amount{1, bytes})
			defer inWork.Dec()
			if outcome := s.deliver(ctx, streamCtx, m); outcome != job.Lost {
				answers.send(m.GetId(), outcome)
			}
		})
	}
}

// deliver hands a trigger to the app. An attempt that this process could not make is made again:
// the scheduler has no word for one that is lost, and would wait for its end. That goes on until it works, or open ends:
// then the scheduler delivers the trigger again itself. The outcome is Lost if ctx or open ended first.
func (s *stream) deliver(ctx, open context.Context, m *schedulerv1.WatchJobsResponse) job.Outcome {
	t, err := wire.Trigger(m)
	if err == nil && t.Key.Target.Kind != job.App {
		err = errors.New("it is for an actor, and there are none here")
	}
	if err != nil {
		s.log.WarnContext(ctx, "cannot deliver a trigger", slog.String("job", m.GetName()), slog.Any("err", err))
		s.app.metrics.attempts.of(attemptLabel(job.Failed.String())).Inc()
		return job.Failed
	}
	for wait := leastWait; ; wait = min(2*wait, mostWait) {
		outcome := s.app.trigger(ctx, t)
		if outcome != job.Lost || !pause(open, wait/2, wait) {
			return outcome
		}
	}
}

// answers sends outcomes on one stream, one at a time.
type answers struct {
	mu     sync.Mutex // held while sending
	stream schedulerv1.Scheduler_WatchJobsClient
}

// send tells the scheduler how the trigger of that number ended. If the stream is broken nobody learns of it, and the
// scheduler delivers again.
func (a *answers) send(id uint64, outcome job.Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.stream.Send(wire.Result(id, outcome))
}
