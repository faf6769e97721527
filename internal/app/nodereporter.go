package app

import (
	"cmp"
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"carillon/internal/dispatch"
	"carillon/internal/engine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/peerv1"
	"carillon/internal/scheduler"
	"carillon/internal/store/diskspace"
)

// defaultNodeID is the ID of a node whose configuration has none.
const defaultNodeID = "local"

// A nodeReporter says how a node is. It is a [peerv1.Reporter].
type nodeReporter struct {
	config     NodeConfig
	began      time.Time // by the wall clock
	engine     *engine.Engine
	dispatcher *dispatch.Dispatcher
	service    *scheduler.Service
	disk       func() (diskspace.Usage, error) // nil if the store is not on this node
	checks     []check
}

// newNodeReporter returns the reporter of a node with this engine. The caller sets the other fields.
func newNodeReporter(cfg Config, e *engine.Engine, d *dispatch.Dispatcher) *nodeReporter {
	now := time.Now
	if cfg.Engine.Now != nil {
		now = cfg.Engine.Now
	}
	r := &nodeReporter{config: cfg.Node, began: now(), engine: e, dispatcher: d, checks: []check{e.Health}}
	r.config.ID = cmp.Or(cfg.Node.ID, defaultNodeID)
	return r
}

// Targets implements [peerv1.Reporter].
func (n *nodeReporter) Targets(ctx context.Context, r *peerv1.TargetsRequest) (*peerv1.TargetsResponse, error) {
	if len(r.GetTargets()) > peerv1.MaxTargets {
		return nil, status.Errorf(codes.InvalidArgument, "a request has %d targets, and at most %d are accepted", len(r.GetTargets()), peerv1.MaxTargets)
	}
	targets := make([]job.Target, len(r.GetTargets()))
	for i, b := range r.GetTargets() {
		var err error
		if targets[i], err = record.ParseTarget(b); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
	}
	counted, partitions, err := n.engine.TargetStats(ctx, targets, int(min(r.GetMaxOverdue(), peerv1.MaxOverdue)))
	if err != nil {
		return nil, err
	}
	resp := &peerv1.TargetsResponse{
		CountedPartitions: uint32(partitions), TotalPartitions: uint32(n.engine.PartitionCount()),
	}
	for i, c := range counted {
		m := &peerv1.TargetStatus{
			InFlightCount: uint32(c.InFlight), HeldCount: uint32(n.dispatcher.HeldCount(targets[i])),
			OverdueCount: uint32(c.Overdue), OverdueExact: c.Exact, OldestDueTime: timestampOf(c.OldestDue),
		}
		streams, count := n.service.Streams(targets[i], int(min(r.GetMaxStreams(), peerv1.MaxStreams)))
		m.StreamCount = uint32(count)
		for _, s := range streams {
			m.Streams = append(m.Streams, &peerv1.StreamStatus{AppId: s.AppID, Address: s.Address, ConnectTime: timestampOf(s.Since)})
		}
		resp.Targets = append(resp.Targets, m)
	}
	return resp, nil
}

// ConnectedTargets implements [peerv1.Reporter].
func (n *nodeReporter) ConnectedTargets(
	_ context.Context, r *peerv1.ConnectedTargetsRequest,
) (*peerv1.ConnectedTargetsResponse, error) {
	var after job.Target
	if len(r.GetAfter()) > 0 {
		var err error
		if after, err = record.ParseTarget(r.GetAfter()); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
	}
	s := job.Selector{Kind: job.Kind(r.GetKind()), Namespace: r.GetNamespace(), Target: r.GetTarget()}
	targets, more := n.service.ConnectedTargets(s, after, int(min(r.GetLimit(), peerv1.MaxConnectedTargets)))
	resp := &peerv1.ConnectedTargetsResponse{More: more}
	for _, t := range targets {
		resp.Targets = append(resp.Targets, record.TargetKey(t))
	}
	return resp, nil
}

// Status implements [peerv1.Reporter].
func (n *nodeReporter) Status(context.Context, *peerv1.StatusRequest) (*peerv1.NodeStatus, error) {
	s := n.engine.Stats()
	m := &peerv1.NodeStatus{
		Version: n.config.Version, StartTime: timestampOf(n.began), OwnedPartitions: uint32(s.Owned), LoadingPartitions: uint32(s.Loading),
		StreamCount: uint32(n.service.StreamCount()), InFlightCount: uint32(s.InFlight), InFlightLimit: uint32(s.MaxInFlight),
		RefusesJobs: s.Full, Overloaded: s.Overloaded, CommitCount: uint32(s.Commits),
		CommitP50: durationpb.New(s.CommitP50), CommitP99: durationpb.New(s.CommitP99),
		MemoryLimitBytes: uint64(max(0, n.config.MemoryLimit)),
	}
	if n.disk != nil {
		if u, err := n.disk(); err == nil {
			m.DiskFreeBytes, m.DiskTotalBytes = u.Free, u.Total
		}
	}
	for _, c := range n.checks {
		if err := c(); err != nil {
			m.Problems = append(m.Problems, strings.Split(err.Error(), "\n")...) // as [errors.Join] joins them
		}
	}
	if note := n.engine.Note(); note != "" {
		m.Problems = append(m.Problems, note)
	}
	return m, nil
}

// timestampOf returns t for a message, or nil if it is zero or beyond what messages can have.
func timestampOf(t time.Time) *timestamppb.Timestamp {
	if ts := timestamppb.New(t); !t.IsZero() && ts.IsValid() {
		return ts
	}
	return nil
}
