package etcdtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// TxnLimits limit one transaction; 0 means etcd's default.
type TxnLimits struct {
	MaxTxnOps, MaxRequestBytes int
}

// kvService implements etcd's KV service.
type kvService struct {
	etcdserverpb.UnimplementedKVServer
	state  *clusterState
	limits *TxnLimits
}

// Range implements etcd's call.
func (s *kvService) Range(_ context.Context, r *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if r.GetRevision() > 0 && r.GetRevision() < s.state.compacted {
		return nil, rpctypes.ErrGRPCCompacted
	}
	return s.state.read(r), nil
}

// Put implements etcd's call.
func (s *kvService) Put(_ context.Context, r *etcdserverpb.PutRequest) (*etcdserverpb.PutResponse, error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	if s.state.full() {
		return nil, rpctypes.ErrGRPCNoSpace
	}
	if r.GetLease() != 0 && s.state.leases[r.GetLease()] == nil {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	b := &txn{keyspace: &s.state.keyspace}
	b.put(r)
	b.end()
	return &etcdserverpb.PutResponse{Header: s.state.header()}, nil
}

// DeleteRange implements etcd's call.
func (s *kvService) DeleteRange(
	_ context.Context, r *etcdserverpb.DeleteRangeRequest,
) (*etcdserverpb.DeleteRangeResponse, error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	b := &txn{keyspace: &s.state.keyspace}
	n := b.remove(r.GetKey(), r.GetRangeEnd())
	b.end()
	return &etcdserverpb.DeleteRangeResponse{Header: s.state.header(), Deleted: n}, nil
}

// Txn implements etcd's call, without transactions within transactions.
func (s *kvService) Txn(_ context.Context, r *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	maxOps := cmp.Or(s.limits.MaxTxnOps, 128)
	switch {
	case len(r.GetCompare()) > maxOps || len(r.GetSuccess()) > maxOps:
		return nil, rpctypes.ErrGRPCTooManyOps
	case r.Size() > cmp.Or(s.limits.MaxRequestBytes, 3<<19):
		return nil, rpctypes.ErrGRPCRequestTooLarge
	}
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	failed := slices.ContainsFunc(r.GetCompare(), func(c *etcdserverpb.Compare) bool { return !s.state.compare(c) })
	resp := &etcdserverpb.TxnResponse{Succeeded: !failed}
	ops := r.GetFailure()
	if resp.Succeeded {
		ops = r.GetSuccess()
	}
	for _, op := range ops {
		p, r := op.GetRequestPut(), op.GetRequestRange()
		switch {
		case p != nil && s.state.full():
			return nil, rpctypes.ErrGRPCNoSpace
		case p.GetLease() != 0 && s.state.leases[p.GetLease()] == nil:
			return nil, rpctypes.ErrGRPCLeaseNotFound
		case r.GetRevision() > 0 && r.GetRevision() < s.state.compacted:
			return nil, rpctypes.ErrGRPCCompacted
		}
	}
	b := &txn{keyspace: &s.state.keyspace}
	for _, op := range ops {
		answer := new(etcdserverpb.ResponseOp)
		switch o := op.GetRequest().(type) {
		case *etcdserverpb.RequestOp_RequestRange:
			answer.Response = &etcdserverpb.ResponseOp_ResponseRange{ResponseRange: s.state.read(o.RequestRange)}
		case *etcdserverpb.RequestOp_RequestPut:
			b.put(o.RequestPut)
			answer.Response = &etcdserverpb.ResponseOp_ResponsePut{ResponsePut: new(etcdserverpb.PutResponse)}
		case *etcdserverpb.RequestOp_RequestDeleteRange:
			n := b.remove(o.RequestDeleteRange.GetKey(), o.RequestDeleteRange.GetRangeEnd())
			answer.Response = &etcdserverpb.ResponseOp_ResponseDeleteRange{
				ResponseDeleteRange: &etcdserverpb.DeleteRangeResponse{Deleted: n},
			}
		}
		resp.Responses = append(resp.Responses, answer)
	}
	b.end()
	resp.Header = s.state.header()
	return resp, nil
}

// Compact implements etcd's call.
func (s *kvService) Compact(
	_ context.Context, r *etcdserverpb.CompactionRequest,
) (*etcdserverpb.CompactionResponse, error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	switch {
	case r.GetRevision() <= s.state.compacted:
		return nil, rpctypes.ErrGRPCCompacted
	case r.GetRevision() > s.state.now:
		return nil, rpctypes.ErrGRPCFutureRev
	}
	s.state.compacted = r.GetRevision()
	s.state.upkeep = append(s.state.upkeep, fmt.Sprintf("compact %d", r.GetRevision()))
	for _, p := range s.state.members {
		p.Used = min(p.Used, p.Live)
	}
	return &etcdserverpb.CompactionResponse{Header: s.state.header()}, nil
}
