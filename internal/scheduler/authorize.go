package scheduler

import (
	"context"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
	"carillon/internal/peerv1"
	"carillon/internal/wire"
)

// This file holds each request against the identity of the connection that it came over, where connections have one. It
// stands before all methods, and what it does not know it refuses: a method that is added is closed until it is added
// here. The service of the nodes is for them alone, whether connections have an identity or not.

// mayAsk returns why the caller of ctx may not make a request, as it is told, or nil.
func (s *Service) mayAsk(ctx context.Context, req any) error {
	if s.cfg.Identity == nil {
		return nil
	}
	switch r := req.(type) {
	case *schedulerv1.ScheduleJobRequest:
		return s.mayBe(ctx, r.GetMetadata())
	case *schedulerv1.GetJobRequest:
		return s.mayBe(ctx, r.GetMetadata())
	case *schedulerv1.DeleteJobRequest:
		return s.mayBe(ctx, r.GetMetadata())
	case *schedulerv1.ListJobsRequest:
		return s.mayBe(ctx, r.GetMetadata())
	case *schedulerv1.DeleteByMetadataRequest:
		err := s.mayBe(ctx, r.GetMetadata())
		if _, app := r.GetMetadata().GetTarget().GetType().(*schedulerv1.JobTargetMetadata_Job); err == nil && app && r.GetIdPrefixMatch() {
			// The jobs of other apps, too: Dapr lets that pass.
			err = s.metrics.refused(status.Error(codes.PermissionDenied, "identity does not match request: it is about all apps whose ids begin so"))
		}
		return inBulk(err)
	case *schedulerv1.DeleteByNamePrefixRequest:
		return inBulk(s.mayBe(ctx, r.GetMetadata()))
	case *schedulerv1.WatchJobsRequest:
		if r.GetInitial() == nil {
			return nil // of a stream whose initial was admitted, or of one that is refused for want of it
		}
		return s.mayAct(ctx, r.GetInitial().GetNamespace(), r.GetInitial().GetAppId())
	case *bulkv1.ScheduleRequest:
		for _, j := range r.GetJobs() {
			if err := s.mayBe(ctx, j.GetMetadata()); err != nil {
				return err
			}
		}
		return nil
	case *peerv1.ApplyRequest: // of a stream that mayApply has let in; for whom it asks, another node has checked
		return nil
	case *schedulerv1.WatchHostsRequest: // for everybody who has an identity, as in Dapr
		return nil
	default:
		return s.metrics.refused(status.Errorf(codes.PermissionDenied, "nobody may send a %T", req))
	}
}

// mayApply returns why the caller of ctx, who is no node of this cluster, may not call [peerv1.PeerServer], as it is told, or
// nil. With mTLS a node has the identity of this one; in any case it knows the secret, which no client does.
func (s *Service) mayApply(ctx context.Context) error {
	if s.cfg.Identity != nil {
		if err := s.cfg.Identity.AuthorizePeer(ctx); err != nil {
			return s.metrics.refused(err)
		}
	}
	if !peerv1.HasSecret(ctx, s.cfg.PeerSecret) {
		return s.metrics.refused(status.Error(codes.PermissionDenied, "this service is for the nodes of the cluster: schedule jobs through dapr.proto.scheduler.v1.Scheduler or carillon.v1.Bulk"))
	}
	return nil
}

func (s *Service) mayBe(ctx context.Context, m *schedulerv1.JobMetadata) error {
	return s.mayAct(ctx, m.GetNamespace(), m.GetAppId())
}

// mayAct returns why the caller of ctx may not act for this app of this namespace, or nil.
func (s *Service) mayAct(ctx context.Context, namespace, app string) error {
	err := wire.CheckCaller(namespace, app)
	if err == nil {
		err = s.cfg.Identity.Authorize(ctx, namespace, app)
	}
	return s.metrics.refused(err)
}

// inBulk returns err as bulk deletes return it.
func inBulk(err error) error {
	if err == nil {
		return nil
	}
	return status.Errorf(status.Code(err), "failed to parse metadata: %v", err)
}

// An authorized stream hands on only what its caller may ask.
type authorized struct {
	grpc.ServerStream
	service *Service
}

// RecvMsg implements [grpc.ServerStream].
func (a authorized) RecvMsg(m any) error {
	if err := a.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return a.service.mayAsk(a.Context(), m)
}
