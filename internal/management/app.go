package management

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
	"carillon/internal/peerv1"
)

// GetApp implements [pb.ManagementServer].
func (s *Server) GetApp(ctx context.Context, r *pb.GetAppRequest) (*pb.App, error) {
	t, err := parseAppName(r.GetName())
	if err != nil {
		return nil, err
	}
	if !callerOf(ctx).coversTarget(t) {
		return nil, errScope
	}
	hasJobs, err := s.hasJobs(ctx, t)
	if err != nil {
		return nil, err
	}
	all, unreachable, err := s.describe(ctx, []listedTarget{{t, hasJobs}}, appDetail{overdue: peerv1.MaxOverdue, streams: peerv1.MaxStreams})
	if err != nil {
		return nil, err
	}
	a := all[0]
	if !a.GetHasJobs() && !a.GetConnected() {
		return nil, withDetails(codes.NotFound, "NOT_FOUND", appName(t)+" has no job, and no sidecar is connected that serves it", nil)
	}
	a.Unreachable = unreachable
	return a, nil
}

// hasJobs reports whether jobs are stored for a target.
func (s *Server) hasJobs(ctx context.Context, t job.Target) (bool, error) {
	found, _, err := s.cfg.Jobs.Targets(ctx, job.Selector{Kind: t.Kind, Namespace: t.Namespace, Target: t.Name}, job.Target{}, 1)
	return len(found) > 0, err
}

// A listedTarget is an app or an actor type, and whether jobs are stored for it.
type listedTarget struct {
	job.Target

	hasJobs bool
}

// An appDetail bounds what is told about an app.
type appDetail struct {
	overdue int // the most overdue jobs that are counted
	streams int // the most streams of each node
}

// describe asks all nodes about targets, [peerv1.MaxTargets] at most, and returns them as apps.
// unreachable has the nodes that did not answer.
func (s *Server) describe(ctx context.Context, targets []listedTarget, d appDetail) (all []*pb.App, unreachable []string, err error) {
	r := &peerv1.TargetsRequest{MaxOverdue: uint32(d.overdue), MaxStreams: uint32(d.streams)}
	for _, t := range targets {
		r.Targets = append(r.Targets, record.TargetKey(t.Target))
		all = append(all, &pb.App{
			Name: appName(t.Target), Kind: appKindOf(t.Target), HasJobs: t.hasJobs, Overdue: &pb.OverdueJobs{Exact: true},
		})
	}
	answers, unreachable, err := s.cfg.Cluster.Targets(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	counted, total := uint32(0), uint32(0)
	for _, id := range slices.Sorted(maps.Keys(answers)) {
		answer := answers[id]
		counted, total = counted+answer.GetCountedPartitions(), answer.GetTotalPartitions()
		for i, status := range answer.GetTargets() {
			if i < len(all) {
				addStatus(all[i], "nodes/"+id, status)
			}
		}
	}
	for _, a := range all {
		if counted != total { // a partition has no owner now, or its owner does not answer
			a.Overdue.Exact = false
		}
	}
	return all, unreachable, nil
}

// addStatus adds what a node has of an app.
func addStatus(a *pb.App, node string, s *peerv1.TargetStatus) {
	a.Connected = a.GetConnected() || s.GetStreamCount() > 0
	a.StreamCount += s.GetStreamCount()
	for _, stream := range s.GetStreams() {
		a.Streams = append(a.Streams, &pb.SidecarStream{
			AppId: stream.GetAppId(), Node: node, Address: stream.GetAddress(), ConnectTime: stream.GetConnectTime(),
		})
	}
	a.InFlightCount += s.GetInFlightCount()
	a.HeldCount += s.GetHeldCount()
	o := a.GetOverdue()
	o.Count += s.GetOverdueCount()
	o.Exact = o.GetExact() && s.GetOverdueExact()
	if t := s.GetOldestDueTime(); t != nil && (o.GetOldestDueTime() == nil || t.AsTime().Before(o.GetOldestDueTime().AsTime())) {
		o.OldestDueTime = t
	}
}

func appKindOf(t job.Target) pb.App_Kind {
	if t.Kind == job.Actor {
		return pb.App_ACTOR_TYPE
	}
	return pb.App_APP
}
