package etcdtest

import (
	"context"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// clusterService implements etcd's Cluster service.
type clusterService struct {
	etcdserverpb.UnimplementedClusterServer
	state *clusterState
}

// MemberList implements etcd's call.
func (s *clusterService) MemberList(
	context.Context, *etcdserverpb.MemberListRequest,
) (*etcdserverpb.MemberListResponse, error) {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	resp := &etcdserverpb.MemberListResponse{Header: s.state.header()}
	for _, p := range s.state.members {
		m := &etcdserverpb.Member{ID: p.id, Name: p.Name}
		if p.Name != "" {
			m.ClientURLs = []string{"http://" + p.Name + ":2379"}
		}
		resp.Members = append(resp.Members, m)
	}
	return resp, nil
}
