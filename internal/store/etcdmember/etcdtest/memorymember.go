package etcdtest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/memnet"
)

// Member is a member that a [Memory] announces, with the size of its database. The test chooses the
// sizes: they do not depend on the keys, which all members share.
type Member struct {
	Name  string // also the host of its address, http://Name:2379; "" has no address
	Leads bool
	Quota int64 // bytes; 0: not reported
	File  int64 // size of the database in bytes
	Used  int64 // bytes in use of File; Live is what remains after a compaction
	Live  int64
	// Alarm is on when the member's quota is exceeded. While one member has an alarm, all members
	// refuse writes that need space.
	Alarm bool
	// Absent makes the member not respond.
	Absent bool
}

// memberServer serves a member.
type memberServer struct {
	Member
	id       uint64
	listener *memnet.Listener
}

// Join adds a member. The first member exists from the start: its name is etcd, it is the leader, and
// it reports no quota.
func (m *Memory) Join(t testing.TB, member Member) {
	t.Helper()
	m.mu.Lock()
	p := &memberServer{member, uint64(len(m.servers) + 1), memnet.Listen()}
	m.servers = append(m.servers, p)
	m.mu.Unlock()
	m.serve(t, p)
}

// Set changes the member of that name.
func (m *Memory) Set(name string, change func(*Member)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.servers {
		if p.Name == name {
			change(&p.Member)
		}
	}
}

// Upkeep returns what clients did to free space, in order: "compact 7", "defragment a", "disarm a".
func (m *Memory) Upkeep() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.upkeep)
}

// full reports whether an alarm is on.
func (m *Memory) full() bool {
	return slices.ContainsFunc(m.servers, func(p *memberServer) bool { return p.Alarm })
}

// Compact implements etcd's call.
func (m *Memory) Compact(_ context.Context, r *etcdserverpb.CompactionRequest) (*etcdserverpb.CompactionResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case r.GetRevision() <= m.compacted:
		return nil, rpctypes.ErrGRPCCompacted
	case r.GetRevision() > m.now:
		return nil, rpctypes.ErrGRPCFutureRev
	}
	m.compacted = r.GetRevision()
	m.upkeep = append(m.upkeep, fmt.Sprintf("compact %d", r.GetRevision()))
	for _, p := range m.servers {
		p.Used = min(p.Used, p.Live)
	}
	return &etcdserverpb.CompactionResponse{Header: m.header()}, nil
}

// cluster implements etcd's cluster service.
type cluster struct {
	etcdserverpb.UnimplementedClusterServer
	memory *Memory
}

// MemberList implements etcd's call.
func (c *cluster) MemberList(context.Context, *etcdserverpb.MemberListRequest) (*etcdserverpb.MemberListResponse, error) {
	c.memory.mu.Lock()
	defer c.memory.mu.Unlock()
	resp := &etcdserverpb.MemberListResponse{Header: c.memory.header()}
	for _, p := range c.memory.servers {
		m := &etcdserverpb.Member{ID: p.id, Name: p.Name}
		if p.Name != "" {
			m.ClientURLs = []string{"http://" + p.Name + ":2379"}
		}
		resp.Members = append(resp.Members, m)
	}
	return resp, nil
}

// maintenance implements etcd's maintenance service of a member.
type maintenance struct {
	etcdserverpb.UnimplementedMaintenanceServer
	memory *Memory
	member *memberServer
}

// Status implements etcd's call.
func (s *maintenance) Status(context.Context, *etcdserverpb.StatusRequest) (*etcdserverpb.StatusResponse, error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	p := s.member
	if p.Absent {
		return nil, status.Error(codes.Aborted, "this member is absent")
	}
	resp := &etcdserverpb.StatusResponse{Header: s.memory.header(), DbSize: p.File, DbSizeInUse: p.Used, DbSizeQuota: p.Quota}
	resp.Header.MemberId = p.id
	for _, other := range s.memory.servers {
		if other.Leads {
			resp.Leader = other.id
		}
	}
	return resp, nil
}

// Defragment implements etcd's call.
func (s *maintenance) Defragment(context.Context, *etcdserverpb.DefragmentRequest) (*etcdserverpb.DefragmentResponse, error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.memory.upkeep = append(s.memory.upkeep, "defragment "+s.member.Name)
	s.member.File = s.member.Used
	return &etcdserverpb.DefragmentResponse{Header: s.memory.header()}, nil
}

// Alarm implements etcd's call.
func (s *maintenance) Alarm(_ context.Context, r *etcdserverpb.AlarmRequest) (*etcdserverpb.AlarmResponse, error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	resp := &etcdserverpb.AlarmResponse{Header: s.memory.header()}
	for _, p := range s.memory.servers {
		if !p.Alarm {
			continue
		}
		if r.GetAction() == etcdserverpb.AlarmRequest_DEACTIVATE && r.GetMemberID() == p.id {
			s.memory.upkeep = append(s.memory.upkeep, "disarm "+p.Name)
			p.Alarm = false
		}
		resp.Alarms = append(resp.Alarms, &etcdserverpb.AlarmMember{MemberID: p.id, Alarm: etcdserverpb.AlarmType_NOSPACE})
	}
	return resp, nil
}
