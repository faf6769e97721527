package etcdtest

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// lease expires, with its keys, when it is not renewed within its TTL.
type lease struct {
	ttl    time.Duration
	expiry *time.Timer
}

// LeaseGrant implements etcd's call.
func (m *Memory) LeaseGrant(_ context.Context, r *etcdserverpb.LeaseGrantRequest) (*etcdserverpb.LeaseGrantResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full() {
		return nil, rpctypes.ErrGRPCNoSpace
	}
	m.granted++
	id, ttl := m.granted, time.Duration(r.GetTTL())*time.Second
	m.leases[id] = &lease{ttl, time.AfterFunc(ttl, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.drop(id)
	})}
	return &etcdserverpb.LeaseGrantResponse{Header: m.header(), ID: id, TTL: r.GetTTL()}, nil
}

// drop ends a lease, and removes its keys.
func (m *Memory) drop(id int64) {
	m.leases[id].expiry.Stop()
	delete(m.leases, id)
	b := &txn{memory: m}
	for _, kv := range slices.Collect(maps.Values(m.keys)) {
		if kv.Lease == id {
			b.remove(kv.Key, nil)
		}
	}
	b.end()
}

// LeaseRevoke implements etcd's call.
func (m *Memory) LeaseRevoke(_ context.Context, r *etcdserverpb.LeaseRevokeRequest) (*etcdserverpb.LeaseRevokeResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leases[r.GetID()] == nil {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	m.drop(r.GetID())
	return &etcdserverpb.LeaseRevokeResponse{Header: m.header()}, nil
}

// LeaseKeepAlive implements etcd's call.
func (m *Memory) LeaseKeepAlive(s etcdserverpb.Lease_LeaseKeepAliveServer) error {
	for {
		r, err := s.Recv()
		if err != nil {
			return err
		}
		if err := m.ask(s.Context(), m.Before, r); err != nil {
			return err
		}
		answer := m.renew(r.GetID())
		if err := m.ask(s.Context(), m.After, r); err != nil {
			return err
		}
		if err := s.Send(answer); err != nil {
			return err
		}
	}
}

func (m *Memory) renew(id int64) *etcdserverpb.LeaseKeepAliveResponse {
	m.mu.Lock()
	defer m.mu.Unlock()
	answer := &etcdserverpb.LeaseKeepAliveResponse{Header: m.header(), ID: id}
	if l := m.leases[id]; l != nil {
		l.expiry.Reset(l.ttl)
		answer.TTL = int64(l.ttl / time.Second)
	}
	return answer
}
