package management

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"google.golang.org/grpc/codes"

	pb "carillon/internal/managementv1"
	"carillon/internal/pagetoken"
	"carillon/internal/peerv1"
)

// nodes is the collection of the names of nodes.
const nodes = "nodes"

// GetNode implements [pb.ManagementServer].
func (s *Server) GetNode(ctx context.Context, r *pb.GetNodeRequest) (*pb.Node, error) {
	v, ok := matchName(r.GetName(), nodes)
	if !ok {
		return nil, invalid("name", "it must be nodes/{id}")
	}
	reports, err := s.nodeReports(ctx)
	if err != nil {
		return nil, err
	}
	for _, report := range reports {
		if report.ID == v[0] {
			return nodeOf(report), nil
		}
	}
	return nil, withDetails(codes.NotFound, "NOT_FOUND", r.GetName()+" is not known to the node that answers: list the nodes", nil)
}

// ListNodes implements [pb.ManagementServer].
func (s *Server) ListNodes(ctx context.Context, r *pb.ListNodesRequest) (*pb.ListNodesResponse, error) {
	after, err := pagetoken.Decode(r.GetPageToken(), nodes)
	switch {
	case errors.Is(err, pagetoken.ErrOtherList):
		return nil, invalid("pageToken", "it belongs to another list: begin with the first page")
	case err != nil:
		return nil, invalid("pageToken", "it is not a next_page_token of this server: begin with the first page")
	}
	reports, err := s.nodeReports(ctx)
	if err != nil {
		return nil, err
	}
	reports = slices.DeleteFunc(reports, func(report peerv1.NodeReport) bool { return report.ID <= string(after) })
	resp := new(pb.ListNodesResponse)
	if limit := int(cmp.Or(r.GetPageSize(), defaultPageSize)); len(reports) > limit {
		reports = reports[:limit]
		resp.NextPageToken = pagetoken.Encode([]byte(reports[limit-1].ID), nodes)
	}
	for _, report := range reports {
		resp.Nodes = append(resp.Nodes, nodeOf(report))
	}
	return resp, nil
}

// nodeReports returns the reports on all nodes, if the caller of ctx may see them: a token that is
// limited to namespaces or apps does not cover the nodes, which all of them share.
func (s *Server) nodeReports(ctx context.Context) ([]peerv1.NodeReport, error) {
	if !callerOf(ctx).coversAll() {
		return nil, errNodeScope
	}
	return s.cfg.Cluster.Nodes(ctx)
}

var errNodeScope = withDetails(codes.PermissionDenied, "OUT_OF_SCOPE",
	"the token covers only some namespaces or apps, and the nodes are those of all", nil)

// nodeOf returns a node for a client.
func nodeOf(r peerv1.NodeReport) *pb.Node {
	m := &pb.Node{Name: nodes + "/" + r.ID, Address: r.Address, Message: r.Problem, SinceTime: timestamp(r.Since)}
	switch s := r.Status; {
	case s != nil:
		m.State = pb.Node_LIVE
		m.Version, m.StartTime, m.Problems = s.GetVersion(), s.GetStartTime(), s.GetProblems()
		m.OwnedPartitionCount, m.LoadingPartitionCount = s.GetOwnedPartitions(), s.GetLoadingPartitions()
		m.StreamCount, m.InFlightCount, m.InFlightLimit = s.GetStreamCount(), s.GetInFlightCount(), s.GetInFlightLimit()
		m.RefusesJobs, m.Overloaded, m.MemoryLimitBytes = s.GetRefusesJobs(), s.GetOverloaded(), s.GetMemoryLimitBytes()
		if s.GetDiskTotalBytes() > 0 {
			m.Disk = &pb.Disk{FreeBytes: s.GetDiskFreeBytes(), TotalBytes: s.GetDiskTotalBytes()}
		}
		if s.GetCommitCount() > 0 {
			m.CommitTimes = &pb.CommitTimes{Count: s.GetCommitCount(), P50: s.GetCommitP50(), P99: s.GetCommitP99()}
		}
	case r.Member:
		m.State = pb.Node_UNREACHABLE
	default:
		m.State = pb.Node_LOST
	}
	return m
}
