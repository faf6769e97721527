package scheduler

import (
	"context"
	"errors"
	"io"
	"log/slog"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"carillon/internal/contain"
	"carillon/internal/dispatch"
	"carillon/internal/wire"
)

// WatchJobs sends triggers to a sidecar and receives their results, until either side ends the
// stream.
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
	connected := &ConnectedStream{AppID: initial.GetAppId(), Address: addressOf(ctx), Since: s.cfg.Now()}
	defer s.streams.add(connected, targets)()
	s.metrics.connected.WithLabelValues().Inc()
	defer s.metrics.connected.WithLabelValues().Dec()
	log.DebugContext(ctx, "sidecar connected", slog.Int("targets", len(targets)))

	s.receivers.Go(func() {
		end(contain.Call(func() error { return s.receive(ctx, stream, receiver, log) }))
	})
	err = s.send(ctx, stream, receiver)
	log.DebugContext(ctx, "sidecar disconnected", slog.Any("err", err))
	return err
}

// concurrencyLimits returns the limits that a sidecar states.
func concurrencyLimits(i *schedulerv1.WatchJobsRequestInitial) []dispatch.ConcurrencyLimit {
	var all []dispatch.ConcurrencyLimit
	for _, l := range i.GetConcurrencyLimits() {
		if target, key, ok := wire.ConcurrencyLimit(i.GetNamespace(), l); ok {
			all = append(all, dispatch.ConcurrencyLimit{Target: target, Key: key, Max: int(l.GetMaxConcurrent())})
		}
	}
	return all
}

// Limits of the first message of a stream. It is held while the stream is open, at many times its
// encoded size.
const (
	maxInitial      = 256 << 10
	maxInitialTypes = 4096 // actor types and concurrency limits
)

// initial receives the first message of a stream. It waits until ctx ends.
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
			return nil, streamEnd(err)
		}
	}
	if m.GetInitial() == nil {
		return nil, status.Error(codes.Unknown, "initial request is required on stream connection")
	}
	if n := len(m.GetInitial().GetActorTypes()) + len(m.GetInitial().GetConcurrencyLimits()); n > maxInitialTypes || proto.Size(m) > maxInitial {
		return nil, status.Errorf(codes.ResourceExhausted,
			"the first message has %d actor types and concurrency limits, of at most %d, or more than %d bytes", n, maxInitialTypes, maxInitial)
	}
	return m.GetInitial(), nil
}

// send sends triggers until ctx ends or the stream breaks. It returns the reason.
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

// receive receives results until the stream ends or the client violates the protocol. It returns
// the reason, never nil.
func (s *server) receive(
	ctx context.Context, stream schedulerv1.Scheduler_WatchJobsServer, to *dispatch.Stream, log *slog.Logger,
) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, io.EOF) {
				s.metrics.errors.WithLabelValues("recv_failed").Inc()
			}
			return streamEnd(err)
		}
		r := m.GetResult()
		if r == nil {
			s.metrics.errors.WithLabelValues("recv_failed").Inc()
			log.WarnContext(ctx, "sidecar sent a message that is not a result: ending its stream")
			return context.Canceled
		}
		if !to.Settle(r.GetId(), wire.Outcome(r.GetStatus())) {
			log.DebugContext(ctx, "ignored a result for a trigger that is not in flight", slog.Uint64("attempt", r.GetId()))
		}
	}
}

// streamEnd converts the error of a stream's Recv to the error of the stream: a half-close cancels
// it.
func streamEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return context.Canceled
	}
	return err
}
