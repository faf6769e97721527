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

// A Member is one of those that a [Memory] says it has, with the database that it says it has. The figures are the test's
// to choose: they do not follow from the keys, which all members share.
type Member struct {
	Name  string // also the host of its address, http://Name:2379; "" has no address
	Leads bool
	Quota int64 // bytes; 0 does not say
	File  int64 // bytes of the database
	Used  int64 // of those; what compacting leaves is Live
	Live  int64
	// Alarm is on when the member's quota is exceeded. While that of one is, none takes what needs room.
	Alarm bool
	// Absent does not answer.
	Absent bool
}

// A place is where a member is reached.
type place struct {
	Member
	id       uint64
	listener *memnet.Listener
}

// Join adds a member. The first one is there without it: it is called etcd, leads, and
// does not say its quota.
func (m *Memory) Join(t testing.TB, member Member) {
	t.Helper()
	m.mu.Lock()
	p := &place{member, uint64(len(m.places) + 1), memnet.Listen()}
	m.places = append(m.places, p)
	m.mu.Unlock()
	m.serve(t, p)
}

// Set changes what the member of that name says.
func (m *Memory) Set(name string, change func(*Member)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.places {
		if p.Name == name {
			change(&p.Member)
		}
	}
}

// Kept returns what was done to keep room, in its order: "compact 7", "defragment a", "disarm a".
func (m *Memory) Kept() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.kept)
}

// full reports whether an alarm is on.
func (m *Memory) full() bool {
	return slices.ContainsFunc(m.places, func(p *place) bool { return p.Alarm })
}

// Compact is that of etcd.
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
	m.kept = append(m.kept, fmt.Sprintf("compact %d", r.GetRevision()))
	for _, p := range m.places {
		p.Used = min(p.Used, p.Live)
	}
	return &etcdserverpb.CompactionResponse{Header: m.header()}, nil
}

// A cluster says who the members are.
type cluster struct {
	etcdserverpb.UnimplementedClusterServer
	memory *Memory
}

// MemberList is that of etcd.
func (c *cluster) MemberList(context.Context, *etcdserverpb.MemberListRequest) (*etcdserverpb.MemberListResponse, error) {
	c.memory.mu.Lock()
	defer c.memory.mu.Unlock()
	resp := &etcdserverpb.MemberListResponse{Header: c.memory.header()}
	for _, p := range c.memory.places {
		m := &etcdserverpb.Member{ID: p.id, Name: p.Name}
		if p.Name != "" {
			m.ClientURLs = []string{"http://" + p.Name + ":2379"}
		}
		resp.Members = append(resp.Members, m)
	}
	return resp, nil
}

// A maintenance is a member's.
type maintenance struct {
	etcdserverpb.UnimplementedMaintenanceServer
	memory *Memory
	place  *place
}

// Status is that of etcd.
func (s *maintenance) Status(context.Context, *etcdserverpb.StatusRequest) (*etcdserverpb.StatusResponse, error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	p := s.place
	if p.Absent {
		return nil, status.Error(codes.Aborted, "this member is absent")
	}
	resp := &etcdserverpb.StatusResponse{Header: s.memory.header(), DbSize: p.File, DbSizeInUse: p.Used, DbSizeQuota: p.Quota}
	resp.Header.MemberId = p.id
	for _, other := range s.memory.places {
		if other.Leads {
			resp.Leader = other.id
		}
	}
	return resp, nil
}

// Defragment is that of etcd.
func (s *maintenance) Defragment(context.Context, *etcdserverpb.DefragmentRequest) (*etcdserverpb.DefragmentResponse, error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.memory.kept = append(s.memory.kept, "defragment "+s.place.Name)
	s.place.File = s.place.Used
	return &etcdserverpb.DefragmentResponse{Header: s.memory.header()}, nil
}

// Alarm is that of etcd.
func (s *maintenance) Alarm(_ context.Context, r *etcdserverpb.AlarmRequest) (*etcdserverpb.AlarmResponse, error) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	resp := &etcdserverpb.AlarmResponse{Header: s.memory.header()}
	for _, p := range s.memory.places {
		if !p.Alarm {
			continue
		}
		if r.GetAction() == etcdserverpb.AlarmRequest_DEACTIVATE && r.GetMemberID() == p.id {
			s.memory.kept = append(s.memory.kept, "disarm "+p.Name)
			p.Alarm = false
		}
		resp.Alarms = append(resp.Alarms, &etcdserverpb.AlarmMember{MemberID: p.id, Alarm: etcdserverpb.AlarmType_NOSPACE})
	}
	return resp, nil
}
