package etcdtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"net"
	"slices"
	"sync"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/memnet"
)

// Memory is an etcd in memory, for tests in fake time. It has keys with their history, transactions,
// leases and watches, and speaks etcd's protocol. It has no log and no elections, and a lease expires
// at the exact nanosecond. It is safe for concurrent use.
type Memory struct {
	etcdserverpb.UnimplementedKVServer
	etcdserverpb.UnimplementedLeaseServer

	// Before is called before each request of a client is executed, and After before its response is
	// sent, except for watches. An error replaces the response. nil does nothing. Set them before the
	// first client is created.
	Before, After func(ctx context.Context, request any) error
	// MaxTxnOps and MaxRequestBytes limit one transaction; 0 means etcd's default.
	MaxTxnOps, MaxRequestBytes int
	// Unwatchable makes each watch end at once, like a broken one.
	Unwatchable bool

	mu        sync.Mutex      // guards the fields below, and the fields of the servers
	servers   []*memberServer // one per member
	history   []event         // in order; the events of one transaction have one revision
	now       int64           // the revision
	compacted int64           // the oldest readable revision
	upkeep    []string        // compactions, defragmentations and disarmed alarms, in order
	keys      map[string]*mvccpb.KeyValue
	leases    map[int64]*lease
	granted   int64         // the ID of the latest lease
	changed   chan struct{} // closed, and replaced, with each transaction that writes
	cut       map[string]chan struct{}
}

type event struct {
	revision int64
	*mvccpb.Event
}

// NewMemory returns an empty etcd with one member, which serves until the test ends.
func NewMemory(t testing.TB) *Memory {
	t.Helper()
	m := &Memory{
		now: 1, keys: map[string]*mvccpb.KeyValue{}, leases: map[int64]*lease{},
		changed: make(chan struct{}), cut: map[string]chan struct{}{},
	}
	t.Cleanup(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, l := range m.leases {
			l.expiry.Stop()
		}
	})
	m.Join(t, Member{Name: "etcd", Leads: true})
	return m
}

// serve serves the member p until the test ends.
func (m *Memory) serve(t testing.TB, p *memberServer) {
	t.Helper()
	server := grpc.NewServer(grpc.UnaryInterceptor(m.intercept), grpc.MaxRecvMsgSize(math.MaxInt32))
	etcdserverpb.RegisterKVServer(server, m)
	etcdserverpb.RegisterLeaseServer(server, m)
	etcdserverpb.RegisterClusterServer(server, &cluster{memory: m})
	etcdserverpb.RegisterMaintenanceServer(server, &maintenance{memory: m, member: p})
	served := make(chan error, 1)
	go func() { served <- server.Serve(p.listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // stopped before Serve began
			t.Error(err)
		}
	})
}

// listenerOf returns the listener of the member with that address, or else that of the first member.
func (m *Memory) listenerOf(address string) *memnet.Listener {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.servers {
		if p.Name+":2379" == address {
			return p.listener
		}
	}
	return m.servers[0].listener
}

// Client returns a client of that name, which is closed when the test ends.
func (m *Memory) Client(t testing.TB, name string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{"http://etcd:2379"}, Context: context.WithoutCancel(t.Context()), Logger: zap.NewNop(),
		MaxCallSendMsgSize: math.MaxInt32,
		DialOptions: []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				if err := m.reach(ctx, name); err != nil {
					return nil, err
				}
				c, err := m.listenerOf(address).DialContext(ctx)
				return wire{c, m, name}, err
			}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Watcher.Close() // no watch has begun
	c.Watcher = watcher{m, name}
	t.Cleanup(func() { _ = c.Close() }) // the client may be cut off
	return c
}

func (m *Memory) intercept(ctx context.Context, request any, _ *grpc.UnaryServerInfo, do grpc.UnaryHandler) (any, error) {
	if err := m.ask(ctx, m.Before, request); err != nil {
		return nil, err
	}
	answer, err := do(ctx, request)
	if err == nil {
		err = m.ask(ctx, m.After, request)
	}
	return answer, err
}

func (m *Memory) ask(ctx context.Context, f func(context.Context, any) error, request any) error {
	if f == nil {
		return nil
	}
	return f(ctx, request)
}

func (m *Memory) header() *etcdserverpb.ResponseHeader {
	return &etcdserverpb.ResponseHeader{ClusterId: 1, MemberId: 1, Revision: m.now, RaftTerm: 1}
}

// holds reports whether key is in the range from, to as etcd encodes it.
func holds(key, from, to []byte) bool {
	switch k := string(key); {
	case len(to) == 0:
		return k == string(from)
	case len(to) == 1 && to[0] == 0:
		return k >= string(from)
	default:
		return k >= string(from) && k < string(to)
	}
}

// at returns the keys at that revision; 0 is the present one.
func (m *Memory) at(revision int64) map[string]*mvccpb.KeyValue {
	if revision == 0 || revision >= m.now {
		return m.keys
	}
	then := map[string]*mvccpb.KeyValue{}
	for _, e := range m.history {
		switch {
		case e.revision > revision:
			return then
		case e.Type == mvccpb.DELETE:
			delete(then, string(e.Kv.Key))
		default:
			then[string(e.Kv.Key)] = e.Kv
		}
	}
	return then
}

// find returns the pairs in a range, in the order of keys.
func (m *Memory) find(revision int64, from, to []byte) (found []*mvccpb.KeyValue) {
	for _, kv := range m.at(revision) {
		if holds(kv.Key, from, to) {
			found = append(found, kv)
		}
	}
	slices.SortFunc(found, func(a, b *mvccpb.KeyValue) int { return cmp.Compare(string(a.Key), string(b.Key)) })
	return found
}

func (m *Memory) read(r *etcdserverpb.RangeRequest) *etcdserverpb.RangeResponse {
	found := m.find(r.GetRevision(), r.GetKey(), r.GetRangeEnd())
	resp := &etcdserverpb.RangeResponse{Header: m.header(), Count: int64(len(found))}
	if r.GetCountOnly() {
		return resp
	}
	if r.GetSortTarget() == etcdserverpb.RangeRequest_CREATE { // a query for the oldest key
		slices.SortStableFunc(found, func(a, b *mvccpb.KeyValue) int { return cmp.Compare(a.CreateRevision, b.CreateRevision) })
	}
	if limit := int(r.GetLimit()); limit > 0 && len(found) > limit {
		found, resp.More = found[:limit], true
	}
	for _, kv := range found {
		c := *kv
		if c.Value = bytes.Clone(kv.Value); r.GetKeysOnly() {
			c.Value = nil
		}
		resp.Kvs = append(resp.Kvs, &c)
	}
	return resp
}

// txn is the writes of one transaction.
type txn struct {
	memory *Memory
	events []event
}

func (b *txn) note(kind mvccpb.Event_EventType, kv *mvccpb.KeyValue) {
	b.events = append(b.events, event{b.memory.now + 1, &mvccpb.Event{Type: kind, Kv: kv}})
}

func (b *txn) put(p *etcdserverpb.PutRequest) {
	next := b.memory.now + 1
	kv := &mvccpb.KeyValue{Key: p.GetKey(), Value: p.GetValue(), CreateRevision: next, ModRevision: next, Version: 1, Lease: p.GetLease()}
	if old := b.memory.keys[string(kv.Key)]; old != nil {
		kv.CreateRevision, kv.Version = old.CreateRevision, old.Version+1
	}
	b.memory.keys[string(kv.Key)] = kv
	b.note(mvccpb.PUT, kv)
}

func (b *txn) remove(from, to []byte) (n int64) {
	for _, kv := range b.memory.find(0, from, to) {
		delete(b.memory.keys, string(kv.Key))
		b.note(mvccpb.DELETE, &mvccpb.KeyValue{Key: kv.Key, ModRevision: b.memory.now + 1})
		n++
	}
	return n
}

// end makes the transaction a revision if it has writes.
func (b *txn) end() {
	if len(b.events) == 0 {
		return
	}
	b.memory.now++
	b.memory.history = append(b.memory.history, b.events...)
	close(b.memory.changed)
	b.memory.changed = make(chan struct{})
}

// Range implements etcd's call.
func (m *Memory) Range(_ context.Context, r *etcdserverpb.RangeRequest) (*etcdserverpb.RangeResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.GetRevision() > 0 && r.GetRevision() < m.compacted {
		return nil, rpctypes.ErrGRPCCompacted
	}
	return m.read(r), nil
}

// Put implements etcd's call.
func (m *Memory) Put(_ context.Context, r *etcdserverpb.PutRequest) (*etcdserverpb.PutResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full() {
		return nil, rpctypes.ErrGRPCNoSpace
	}
	if r.GetLease() != 0 && m.leases[r.GetLease()] == nil {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	b := &txn{memory: m}
	b.put(r)
	b.end()
	return &etcdserverpb.PutResponse{Header: m.header()}, nil
}

// DeleteRange implements etcd's call.
func (m *Memory) DeleteRange(_ context.Context, r *etcdserverpb.DeleteRangeRequest) (*etcdserverpb.DeleteRangeResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &txn{memory: m}
	n := b.remove(r.GetKey(), r.GetRangeEnd())
	b.end()
	return &etcdserverpb.DeleteRangeResponse{Header: m.header(), Deleted: n}, nil
}

// Txn implements etcd's call, without transactions within transactions.
func (m *Memory) Txn(_ context.Context, r *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	switch {
	case len(r.GetCompare()) > cmp.Or(m.MaxTxnOps, 128) || len(r.GetSuccess()) > cmp.Or(m.MaxTxnOps, 128):
		return nil, rpctypes.ErrGRPCTooManyOps
	case r.Size() > cmp.Or(m.MaxRequestBytes, 3<<19):
		return nil, rpctypes.ErrGRPCRequestTooLarge
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	resp := &etcdserverpb.TxnResponse{Succeeded: !slices.ContainsFunc(r.GetCompare(), func(c *etcdserverpb.Compare) bool { return !m.compare(c) })}
	ops := r.GetFailure()
	if resp.Succeeded {
		ops = r.GetSuccess()
	}
	for _, op := range ops {
		p, r := op.GetRequestPut(), op.GetRequestRange()
		switch {
		case p != nil && m.full():
			return nil, rpctypes.ErrGRPCNoSpace
		case p.GetLease() != 0 && m.leases[p.GetLease()] == nil:
			return nil, rpctypes.ErrGRPCLeaseNotFound
		case r.GetRevision() > 0 && r.GetRevision() < m.compacted:
			return nil, rpctypes.ErrGRPCCompacted
		}
	}
	b := &txn{memory: m}
	for _, op := range ops {
		answer := new(etcdserverpb.ResponseOp)
		switch o := op.GetRequest().(type) {
		case *etcdserverpb.RequestOp_RequestRange:
			answer.Response = &etcdserverpb.ResponseOp_ResponseRange{ResponseRange: m.read(o.RequestRange)}
		case *etcdserverpb.RequestOp_RequestPut:
			b.put(o.RequestPut)
			answer.Response = &etcdserverpb.ResponseOp_ResponsePut{ResponsePut: new(etcdserverpb.PutResponse)}
		case *etcdserverpb.RequestOp_RequestDeleteRange:
			n := b.remove(o.RequestDeleteRange.GetKey(), o.RequestDeleteRange.GetRangeEnd())
			answer.Response = &etcdserverpb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: &etcdserverpb.DeleteRangeResponse{Deleted: n}}
		}
		resp.Responses = append(resp.Responses, answer)
	}
	b.end()
	resp.Header = m.header()
	return resp, nil
}

// compare reports whether c is true for all keys in its range. A key without a value counts as never
// written.
func (m *Memory) compare(c *etcdserverpb.Compare) bool {
	all := m.find(0, c.GetKey(), c.GetRangeEnd())
	if len(all) == 0 {
		all = []*mvccpb.KeyValue{{}}
	}
	return !slices.ContainsFunc(all, func(kv *mvccpb.KeyValue) bool {
		var order int
		switch c.GetTarget() {
		case etcdserverpb.Compare_CREATE:
			order = cmp.Compare(kv.CreateRevision, c.GetCreateRevision())
		case etcdserverpb.Compare_MOD:
			order = cmp.Compare(kv.ModRevision, c.GetModRevision())
		case etcdserverpb.Compare_VERSION:
			order = cmp.Compare(kv.Version, c.GetVersion())
		case etcdserverpb.Compare_LEASE:
			order = cmp.Compare(kv.Lease, c.GetLease())
		case etcdserverpb.Compare_VALUE:
			order = cmp.Compare(string(kv.Value), string(c.GetValue()))
		}
		holds := map[etcdserverpb.Compare_CompareResult]bool{
			etcdserverpb.Compare_EQUAL: order == 0, etcdserverpb.Compare_NOT_EQUAL: order != 0,
			etcdserverpb.Compare_LESS: order < 0, etcdserverpb.Compare_GREATER: order > 0,
		}
		return !holds[c.GetResult()]
	})
}
