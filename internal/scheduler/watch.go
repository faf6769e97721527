package scheduler

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"carillon/internal/dispatch"
	"carillon/internal/wire"
)

// A server is a Service as one Run serves it.
type server struct {
	*Service

	// atClose has f called when the server closes, unless it is cancelled.
	atClose func(f func()) (cancel func() bool)
	// receivers are the goroutines that hear what clients send. Each ends soon after its stream's handler.
	receivers sync.WaitGroup
}

// WatchJobs sends triggers to a sidecar and hears how they ended, until either side ends the stream.
func (s *server) WatchJobs(stream schedulerv1.Scheduler_WatchJobsServer) error {
	ctx, end := context.WithCancelCause(stream.Context())
	defer end(nil)
	defer s.atClose(func() { end(status.Error(codes.Unknown, "server is closing")) })()

	initial, err := s.initial(ctx, stream)
	if err != nil {
		return err
	}
	targets, err := wire.Targets(initial)
	if err != nil {
		return s.metrics.refused(err)
	}
	log := s.log.With(slog.String("namespace", initial.GetNamespace()), slog.String("app", initial.GetAppId()))
	receiver := s.dispatch.Connect(targets, concurrencyLimits(initial)...)
	defer receiver.Close()
	s.metrics.connected.WithLabelValues().Inc()
	defer s.metrics.connected.WithLabelValues().Dec()
	log.DebugContext(ctx, "sidecar connected", slog.Int("targets", len(targets)))

	s.receivers.Go(func() {
		end(contain(func() error { return s.receive(ctx, stream, receiver, log) }))
	})
	err = s.send(ctx, stream, receiver)
	log.DebugContext(ctx, "sidecar gone", slog.Any("err", err))
	return err
}

// concurrencyLimits returns what the sidecar that sent i limits.
func concurrencyLimits(i *schedulerv1.WatchJobsRequestInitial) []dispatch.ConcurrencyLimit {
	var all []dispatch.ConcurrencyLimit
	for _, l := range i.GetConcurrencyLimits() {
		if target, key, ok := wire.Limit(i.GetNamespace(), l); ok {
			all = append(all, dispatch.ConcurrencyLimit{Target: target, Key: key, Max: int(l.GetMaxConcurrent())})
		}
	}
	return all
}

// What a stream is for is kept while it is open, and takes many times the bytes that it came in.
const (
	maxInitial      = 256 << 10
	maxInitialTypes = 4096 // actor types and limits of them
)

// initial returns a stream's first message. It waits for it without a limit but ctx.
func (s *server) initial(
	ctx context.Context, stream schedulerv1.Scheduler_WatchJobsServer,
) (*schedulerv1.WatchJobsRequestInitial, error) {
	var m *schedulerv1.WatchJobsRequest
	received := make(chan error, 1)
	s.receivers.Go(func() {
		var err error
		m, err = stream.Recv()
		received <- err
	})
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case err := <-received:
		if err != nil {
			return nil, hungUp(err)
		}
	}
	if m.GetInitial() == nil {
		return nil, status.Error(codes.Unknown, "initial request is required on stream connection")
	}
	if n := len(m.GetInitial().GetActorTypes()) + len(m.GetInitial().GetConcurrencyLimits()); n > maxInitialTypes || proto.Size(m) > maxInitial {
		return nil, status.Errorf(codes.ResourceExhausted,
			"the stream is for %d actor types and limits: it may be for %d, and its first message of %d bytes", n, maxInitialTypes, maxInitial)
	}
	return m.GetInitial(), nil
}

// send sends triggers until ctx ends or the client is gone. It returns why.
func (s *server) send(ctx context.Context, stream schedulerv1.Scheduler_WatchJobsServer, from *dispatch.Stream) error {
	for {
		id, t, err := from.Next(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if err := stream.Send(wire.Response(id, t)); err != nil {
			s.metrics.errors.WithLabelValues("send_failed").Inc()
			return err
		}
	}
}

// receive hears results until the client is gone or breaks the protocol. It returns why, never nil.
func (s *server) receive(
	ctx context.Context, stream schedulerv1.Scheduler_WatchJobsServer, to *dispatch.Stream, log *slog.Logger,
) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, io.EOF) {
				s.metrics.errors.WithLabelValues("recv_failed").Inc()
			}
			return hungUp(err)
		}
		r := m.GetResult()
		if r == nil {
			s.metrics.errors.WithLabelValues("recv_failed").Inc()
			log.WarnContext(ctx, "sidecar sent something else than a result: ending its stream")
			return context.Canceled
		}
		if !to.Settle(r.GetId(), wire.Outcome(r.GetStatus())) {
			log.DebugContext(ctx, "ignored a result for a trigger that is not out", slog.Uint64("attempt", r.GetId()))
		}
	}
}

// hungUp returns what a stream ends with whose Recv returned err: a half-close cancels it.
func hungUp(err error) error {
	if errors.Is(err, io.EOF) {
		return context.Canceled
	}
	return err
}
