package etcdtest

import (
	"context"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maintenanceService implements etcd's Maintenance service of a member.
type maintenanceService struct {
	etcdserverpb.UnimplementedMaintenanceServer
	state  *clusterState
	member *memberServer
}

// Status implements etcd's call.
func (s *maintenanceService) Status(
	context.Context, *etcdserverpb.StatusRequest,
) (*etcdserverpb.StatusResponse, error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	p := s.member
	if p.Absent {
		return nil, status.Error(codes.Aborted, "this member is absent")
	}
	resp := &etcdserverpb.StatusResponse{
		Header: s.state.header(), DbSize: p.File, DbSizeInUse: p.Used, DbSizeQuota: p.Quota,
	}
	resp.Header.MemberId = p.id
	for _, other := range s.state.members {
		if other.Leads {
			resp.Leader = other.id
		}
	}
	return resp, nil
}

// Defragment implements etcd's call.
func (s *maintenanceService) Defragment(
	context.Context, *etcdserverpb.DefragmentRequest,
) (*etcdserverpb.DefragmentResponse, error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	s.state.upkeep = append(s.state.upkeep, "defragment "+s.member.Name)
	s.member.File = s.member.Used
	return &etcdserverpb.DefragmentResponse{Header: s.state.header()}, nil
}

// Alarm implements etcd's call.
func (s *maintenanceService) Alarm(
	_ context.Context, r *etcdserverpb.AlarmRequest,
) (*etcdserverpb.AlarmResponse, error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	resp := &etcdserverpb.AlarmResponse{Header: s.state.header()}
	for _, p := range s.state.members {
		if !p.Alarm {
			continue
		}
		if r.GetAction() == etcdserverpb.AlarmRequest_DEACTIVATE && r.GetMemberID() == p.id {
			s.state.upkeep = append(s.state.upkeep, "disarm "+p.Name)
			p.Alarm = false
		}
		resp.Alarms = append(resp.Alarms, &etcdserverpb.AlarmMember{
			MemberID: p.id, Alarm: etcdserverpb.AlarmType_NOSPACE,
		})
	}
	return resp, nil
}
