package etcdtest

import (
	"context"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// leaseService implements etcd's Lease service.
type leaseService struct {
	etcdserverpb.UnimplementedLeaseServer
	state  *clusterState
	faults *Faults
}

// LeaseGrant implements etcd's call.
func (s *leaseService) LeaseGrant(
	_ context.Context, r *etcdserverpb.LeaseGrantRequest,
) (*etcdserverpb.LeaseGrantResponse, error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if s.state.full() {
		return nil, rpctypes.ErrGRPCNoSpace
	}
	id := s.state.grant(time.Duration(r.GetTTL()) * time.Second)
	return &etcdserverpb.LeaseGrantResponse{Header: s.state.header(), ID: id, TTL: r.GetTTL()}, nil
}

// LeaseRevoke implements etcd's call.
func (s *leaseService) LeaseRevoke(
	_ context.Context, r *etcdserverpb.LeaseRevokeRequest,
) (*etcdserverpb.LeaseRevokeResponse, error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if s.state.leases[r.GetID()] == nil {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	s.state.drop(r.GetID())
	return &etcdserverpb.LeaseRevokeResponse{Header: s.state.header()}, nil
}

// LeaseKeepAlive implements etcd's call.
func (s *leaseService) LeaseKeepAlive(stream etcdserverpb.Lease_LeaseKeepAliveServer) error {
	for {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := s.faults.before(stream.Context(), r); err != nil {
			return err
		}
		answer := s.renew(r.GetID())
		if err := s.faults.after(stream.Context(), r); err != nil {
			return err
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func (s *leaseService) renew(id int64) *etcdserverpb.LeaseKeepAliveResponse {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	answer := &etcdserverpb.LeaseKeepAliveResponse{Header: s.state.header(), ID: id}
	if l := s.state.leases[id]; l != nil {
		l.expiry.Reset(l.ttl)
		answer.TTL = int64(l.ttl / time.Second)
	}
	return answer
}
