package scheduler

import (
	"context"
	"log/slog"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
	"carillon/internal/contain"
	"carillon/internal/wire"
)

// unary is the interceptor of unary calls: it authorizes, applies quotas and translates errors.
func (s *Service) unary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
) (resp any, err error) {
	switch info.FullMethod {
	case schedulerv1.Scheduler_ListJobs_FullMethodName:
		handle = func(ctx context.Context, req any) (any, error) {
			r := req.(*schedulerv1.ListJobsRequest)
			l, err := s.list(ctx, r)
			return s.charged(r.GetMetadata(), l, err)
		}
	case bulkv1.Bulk_ListJobsPage_FullMethodName:
		handle = func(ctx context.Context, req any) (any, error) {
			r := req.(*bulkv1.ListJobsPageRequest)
			l, err := s.listPage(ctx, r)
			return s.charged(r.GetMetadata(), l, err)
		}
	case schedulerv1.Scheduler_GetJob_FullMethodName:
		plain := handle
		handle = func(ctx context.Context, req any) (any, error) { return s.get(ctx, req, plain) }
	}
	err = s.translate(ctx, info.FullMethod, func() (err error) {
		if err := s.authorize(ctx, req); err != nil {
			return err
		}
		if err := s.checkQuota(ctx, req); err != nil {
			return err
		}
		resp, err = handle(ctx, req)
		return err
	})
	return resp, err
}

// charged charges the namespace of m for the bytes of l, unless err is set, and returns both.
func (s *Service) charged(m *schedulerv1.JobMetadata, l *encodedList, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	s.quotas.charge(time.Now(), m.GetNamespace(), l.bytes/callBytes)
	return l, nil
}

// stream is the interceptor of streams.
func (s *Service) stream(
	srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler,
) error {
	return s.translate(stream.Context(), info.FullMethod, func() error {
		return handle(srv, authorizedStream{stream, s})
	})
}

// translate calls f and returns its error as a status for the client. It logs details that the
// client does not see.
func (s *Service) translate(ctx context.Context, method string, f func() error) error {
	failed := contain.Call(f)
	err := wire.Status(failed)
	switch code := status.Code(err); {
	case code == status.Code(failed): // the client sees the whole error
	case code == codes.Internal:
		s.log.ErrorContext(ctx, "call failed", slog.String("method", method), slog.Any("err", failed))
	case code == codes.Unavailable:
		s.log.DebugContext(ctx, "call refused for now", slog.String("method", method), slog.Any("err", failed))
	}
	return err
}
