package etcdtest

import (
	"context"
	"errors"
	"math"
	"net"
	"slices"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
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
	Faults
	TxnLimits
	etcdserverpb.KVServer // of all members, without Before and After

	state   clusterState
	network network
}

// NewMemory returns an empty etcd with one member, which serves until the test ends.
func NewMemory(t testing.TB) *Memory {
	t.Helper()
	m := &Memory{
		state:   clusterState{keyspace: newKeyspace(), leases: map[int64]*lease{}},
		network: network{cut: map[string]chan struct{}{}},
	}
	m.KVServer = &kvService{state: &m.state, limits: &m.TxnLimits}
	t.Cleanup(func() {
		m.state.mu.Lock()
		defer m.state.mu.Unlock()
		for _, l := range m.state.leases {
			l.expiry.Stop()
		}
	})
	m.Join(t, Member{Name: "etcd", Leads: true})
	return m
}

// Join adds a member. The first member exists from the start: its name is etcd, it is the leader, and
// it reports no quota.
func (m *Memory) Join(t testing.TB, member Member) {
	t.Helper()
	m.state.mu.Lock()
	p := &memberServer{member, uint64(len(m.state.members) + 1), memnet.Listen()}
	m.state.members = append(m.state.members, p)
	m.state.mu.Unlock()
	m.serve(t, p)
}

// Set changes the member of that name.
func (m *Memory) Set(name string, change func(*Member)) {
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	for _, p := range m.state.members {
		if p.Name == name {
			change(&p.Member)
		}
	}
}

// Upkeep returns what clients did to free space, in order: "compact 7", "defragment a", "disarm a".
func (m *Memory) Upkeep() []string {
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	return slices.Clone(m.state.upkeep)
}

// Cut stops all traffic of the client of that name, or lets it continue.
func (m *Memory) Cut(name string, cut bool) { m.network.setCut(name, cut) }

// Client returns a client of that name, which is closed when the test ends.
func (m *Memory) Client(t testing.TB, name string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{"http://etcd:2379"}, Context: context.WithoutCancel(t.Context()), Logger: zap.NewNop(),
		MaxCallSendMsgSize: math.MaxInt32,
		DialOptions: []grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				if err := m.network.reach(ctx, name); err != nil {
					return nil, err
				}
				c, err := m.listenerOf(address).DialContext(ctx)
				return wire{c, &m.network, name}, err
			}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Watcher.Close() // no watch has begun
	c.Watcher = watcher{&m.state, &m.network, &m.Faults, name}
	t.Cleanup(func() { _ = c.Close() }) // the client may be cut off
	return c
}

// listenerOf returns the listener of the member with that address, or else that of the first member.
func (m *Memory) listenerOf(address string) *memnet.Listener {
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	for _, p := range m.state.members {
		if p.Name+":2379" == address {
			return p.listener
		}
	}
	return m.state.members[0].listener
}

// serve serves the member p until the test ends.
func (m *Memory) serve(t testing.TB, p *memberServer) {
	t.Helper()
	server := grpc.NewServer(grpc.UnaryInterceptor(m.intercept), grpc.MaxRecvMsgSize(math.MaxInt32))
	etcdserverpb.RegisterKVServer(server, m)
	etcdserverpb.RegisterLeaseServer(server, &leaseService{state: &m.state, faults: &m.Faults})
	etcdserverpb.RegisterClusterServer(server, &clusterService{state: &m.state})
	etcdserverpb.RegisterMaintenanceServer(server, &maintenanceService{state: &m.state, member: p})
	served := make(chan error, 1)
	go func() { served <- server.Serve(p.listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // stopped before Serve began
			t.Error(err)
		}
	})
}

func (m *Memory) intercept(
	ctx context.Context, request any, _ *grpc.UnaryServerInfo, do grpc.UnaryHandler,
) (any, error) {
	if err := m.before(ctx, request); err != nil {
		return nil, err
	}
	answer, err := do(ctx, request)
	if err == nil {
		err = m.after(ctx, request)
	}
	return answer, err
}
