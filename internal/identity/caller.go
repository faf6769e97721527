package identity

import (
	"context"
	"fmt"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// ID returns the SPIFFE id of an app, or of a part of Dapr's control plane, in a namespace of a
// trust domain.
func ID(domain, namespace, app string) (spiffeid.ID, error) {
	td, err := spiffeid.TrustDomainFromString(domain)
	if err != nil {
		return spiffeid.ID{}, fmt.Errorf("trust domain %q: %w", domain, err)
	}
	id, err := spiffeid.FromSegments(td, "ns", namespace, app)
	if err != nil {
		return spiffeid.ID{}, fmt.Errorf("there is no SPIFFE id for %q in the namespace %q: %w", app, namespace, err)
	}
	return id, nil
}

// Authorize returns nil if the caller of ctx is this app of this namespace, and otherwise a gRPC
// status with Dapr's text (scheduler specification §1.3).
func (s *Source) Authorize(ctx context.Context, namespace, app string) error {
	id, ok := callerOf(ctx)
	if !ok {
		return status.Error(codes.Unauthenticated, "failed to get identity from context")
	}
	if ns, name, ok := workload(id); !ok || ns != namespace || name != app {
		return status.Error(codes.PermissionDenied, "identity does not match request")
	}
	return nil
}

// AuthorizePeer returns nil if the caller of ctx has the id of this process, like another node of
// its cluster, and otherwise a gRPC status.
func (s *Source) AuthorizePeer(ctx context.Context) error {
	id, ok := callerOf(ctx)
	if !ok {
		return status.Error(codes.Unauthenticated, "failed to get identity from context")
	}
	if err := s.checkPeer(id); err != nil {
		return status.Error(codes.PermissionDenied, err.Error())
	}
	return nil
}

// callerOf returns the verified id in the client certificate of the connection of ctx.
func callerOf(ctx context.Context) (spiffeid.ID, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return spiffeid.ID{}, false
	}
	auth := p.AuthInfo
	if wrapped, ok := auth.(interface{ Unwrap() credentials.AuthInfo }); ok {
		auth = wrapped.Unwrap()
	}
	info, ok := auth.(credentials.TLSInfo)
	if !ok || info.SPIFFEID == nil {
		return spiffeid.ID{}, false
	}
	id, err := spiffeid.FromURI(info.SPIFFEID)
	return id, err == nil
}

// workload splits an id of the form /ns/namespace/app. It ignores further segments, as Dapr does.
func workload(id spiffeid.ID) (namespace, app string, ok bool) {
	parts := strings.Split(id.Path(), "/")
	if len(parts) < 4 || parts[1] != "ns" {
		return "", "", false
	}
	return parts[2], parts[3], true
}
