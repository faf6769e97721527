package scheduler

import (
	"context"
	"strings"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
	"carillon/internal/peerv1"
	"carillon/internal/wire"
)

// authorize returns the error of a request that the caller of ctx may not make, or nil. With mTLS
// it compares the request with the identity of the connection. It runs before all methods and
// refuses unknown requests, so that a new method is refused until it is added here.
func (s *Service) authorize(ctx context.Context, req any) error {
	if s.cfg.Identity == nil {
		return nil
	}
	switch r := req.(type) {
	case *schedulerv1.ScheduleJobRequest:
		return s.authorizeMetadata(ctx, r.GetMetadata())
	case *schedulerv1.GetJobRequest:
		return s.authorizeMetadata(ctx, r.GetMetadata())
	case *schedulerv1.DeleteJobRequest:
		return s.authorizeMetadata(ctx, r.GetMetadata())
	case *schedulerv1.ListJobsRequest:
		return s.authorizeMetadata(ctx, r.GetMetadata())
	case *schedulerv1.DeleteByMetadataRequest:
		err := s.authorizeMetadata(ctx, r.GetMetadata())
		_, app := r.GetMetadata().GetTarget().GetType().(*schedulerv1.JobTargetMetadata_Job)
		if err == nil && app && r.GetIdPrefixMatch() {
			// The prefix includes the jobs of other apps. Dapr allows that; we do not.
			err = s.metrics.refused(status.Error(codes.PermissionDenied, "identity does not match request: it is about all apps whose ids have this prefix"))
		}
		return bulkError(err)
	case *schedulerv1.DeleteByNamePrefixRequest:
		return bulkError(s.authorizeMetadata(ctx, r.GetMetadata()))
	case *schedulerv1.WatchJobsRequest:
		if r.GetInitial() == nil {
			return nil // not the first message: that was authorized; as the first it is refused
		}
		return s.authorizeApp(ctx, r.GetInitial().GetNamespace(), r.GetInitial().GetAppId())
	case *bulkv1.ScheduleJobsRequest:
		for _, j := range r.GetJobs() {
			if err := s.authorizeMetadata(ctx, j.GetMetadata()); err != nil {
				return err
			}
		}
		return nil
	case *bulkv1.ScheduleJobsWithExtRequest:
		for _, j := range r.GetJobs() {
			if err := s.authorizeMetadata(ctx, j.GetJob().GetMetadata()); err != nil {
				return err
			}
		}
		return nil
	case *bulkv1.ListJobsPageRequest:
		return s.authorizeMetadata(ctx, r.GetMetadata())
	case *peerv1.ApplyRequest, *peerv1.ProgressRequest, *peerv1.TargetsRequest, *peerv1.ConnectedTargetsRequest,
		*peerv1.StatusRequest: // admit has authorized it, and the other node its client
		return nil
	case *schedulerv1.WatchHostsRequest: // allowed with any identity, as in Dapr
		return nil
	default:
		return s.metrics.refused(status.Errorf(codes.PermissionDenied, "requests of type %T are not allowed", req))
	}
}

// admit returns an error if a call is refused before its message is received: a call of the service
// for nodes that is not from one.
func (s *Service) admit(ctx context.Context, method string) error {
	if !strings.HasPrefix(method, "/"+peerv1.Peer_ServiceDesc.ServiceName+"/") {
		return nil
	}
	return s.authorizePeer(ctx)
}

// authorizePeer returns an error unless the caller of ctx is a node of this cluster, which alone
// may call [peerv1.PeerServer]. A node knows the secret of the cluster, and with mTLS it also has
// the identity of this node.
func (s *Service) authorizePeer(ctx context.Context) error {
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

func (s *Service) authorizeMetadata(ctx context.Context, m *schedulerv1.JobMetadata) error {
	return s.authorizeApp(ctx, m.GetNamespace(), m.GetAppId())
}

// authorizeApp returns an error if the caller of ctx may not act for this app of this namespace.
func (s *Service) authorizeApp(ctx context.Context, namespace, app string) error {
	err := wire.CheckCaller(namespace, app)
	if err == nil {
		err = s.cfg.Identity.Authorize(ctx, namespace, app)
	}
	return s.metrics.refused(err)
}

// bulkError returns err as bulk deletes return it.
func bulkError(err error) error {
	if err == nil {
		return nil
	}
	return status.Errorf(status.Code(err), "failed to parse metadata: %v", err)
}

// An authorizedStream authorizes each message that it receives.
type authorizedStream struct {
	grpc.ServerStream
	service *Service
}

// RecvMsg implements [grpc.ServerStream].
func (a authorizedStream) RecvMsg(m any) error {
	if err := a.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return a.service.authorize(a.Context(), m)
}
