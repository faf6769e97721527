package etcdmember

import (
	"context"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxCarried is how large a transaction may be that is carried to the member that leads.
const maxCarried = 4<<20 - 4096

// commit has a transaction that writes applied: where etcd's leader is, together with those of other nodes. As if it had
// been applied by this member alone, it has been applied here too when commit returns.
func (m *Member) commit(ctx context.Context, s etcdserverpb.KVServer, txn *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	e := m.running.Load()
	if e == nil || m.carry == nil || len(txn.GetCompare()) == 0 {
		return s.Txn(ctx, txn)
	}
	answer, err := m.throughLeader(ctx, e, txn)
	if code := status.Code(err); code == codes.FailedPrecondition || code == codes.Unimplemented {
		return s.Txn(ctx, txn)
	}
	return answer, err
}

// throughLeader has the leader's node commit txn. What was not begun is FailedPrecondition or Unimplemented.
func (m *Member) throughLeader(ctx context.Context, e *embed.Etcd, txn *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	lead := e.Server.Leader()
	if lead == e.Server.MemberID() {
		return m.collector.apply(ctx, "", txn)
	}
	leader := e.Server.Cluster().Member(lead)
	if leader == nil || txn.Size() > maxCarried {
		return nil, errNotBegun
	}
	b, err := txn.Marshal()
	if err != nil {
		return nil, errNotBegun
	}
	if b, err = m.carry(ctx, leader.Name, b); err != nil {
		return nil, m.outlive(ctx, err)
	}
	answer := new(etcdserverpb.TxnResponse)
	if err := answer.Unmarshal(b); err != nil {
		return nil, status.Errorf(codes.Internal, "the leader's answer makes no sense: %v", err)
	}
	return answer, m.applied(ctx, e, answer.GetHeader().GetRevision())
}

// lostAfter is how long a leader is waited for when one seems to be lost. Elections take half of it.
const lostAfter = 2 * time.Second

// outlive returns the error of a transaction that was carried to the leader. If that may be lost, it returns when ctx ends,
// which the store sees to as soon as there is another: what is asked of etcd before that is lost, and has no answer for long.
func (m *Member) outlive(ctx context.Context, err error) error {
	if status.Code(err) != codes.Unavailable {
		return err
	}
	timer := time.NewTimer(lostAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
		return err
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// applied waits until this member has applied what etcd counts as that revision. It has heard of it, or is about to.
func (m *Member) applied(ctx context.Context, e *embed.Etcd, revision int64) error {
	const step = 200 * time.Microsecond
	timer := time.NewTimer(step)
	defer timer.Stop()
	for e.Server.KV().Rev() < revision {
		select {
		case <-timer.C:
			timer.Reset(step)
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	return nil
}

// Commit has a transaction of another node, of that name, applied by this member, which leads. It is one that writes single
// keys under the prefix, and compares. What is refused before it was begun is FailedPrecondition.
func (m *Member) Commit(ctx context.Context, from, prefix string, txn []byte) (answer []byte, err error) {
	e := m.running.Load()
	if e == nil || e.Server.Leader() != e.Server.MemberID() {
		return nil, errNotBegun
	}
	r := new(etcdserverpb.TxnRequest)
	if err := r.Unmarshal(txn); err != nil || !writesUnder(r, prefix) {
		return nil, status.Error(codes.InvalidArgument, "this is no transaction that a node commits")
	}
	a, err := m.collector.apply(ctx, from, r)
	if err != nil {
		return nil, err
	}
	return (&etcdserverpb.TxnResponse{Header: a.GetHeader(), Succeeded: a.GetSucceeded()}).Marshal()
}

// writesUnder reports whether all that r does is to put and delete single keys under the prefix, if what it compares is so.
func writesUnder(r *etcdserverpb.TxnRequest, prefix string) bool {
	for _, op := range r.GetSuccess() {
		var key, end []byte
		switch op := op.GetRequest().(type) {
		case *etcdserverpb.RequestOp_RequestPut:
			key = op.RequestPut.GetKey()
		case *etcdserverpb.RequestOp_RequestDeleteRange:
			key, end = op.RequestDeleteRange.GetKey(), op.RequestDeleteRange.GetRangeEnd()
		default:
			return false
		}
		if len(end) > 0 || !strings.HasPrefix(string(key), prefix) {
			return false
		}
	}
	return len(r.GetCompare()) > 0 && len(r.GetFailure()) == 0
}
