package management

import (
	"context"
	"slices"
	"time"

	"carillon/internal/engine"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

const (
	maxAttentionJobs = 20_000 // that one call looks at, about
	minAttentionJobs = 2000   // of each namespace or app, if a token covers several
	// retryAhead is how far ahead a retry may be due whose job is found. Only retries are asked for,
	// but what is merely scheduled has to be read, too.
	retryAhead = time.Minute
)

// GetAttention implements [pb.ManagementServer].
func (s *Server) GetAttention(ctx context.Context, r *pb.GetAttentionRequest) (*pb.Attention, error) {
	c := callerOf(ctx)
	selectors := c.selectors()
	if r.GetParent() != "" {
		selector, err := parseParent(r.GetParent())
		if err != nil {
			return nil, err
		}
		if !c.mayList(selector) {
			return nil, errScope
		}
		selectors = []job.Selector{selector}
	}
	a := &attention{server: s, caller: c, now: s.cfg.Now(), groups: problemGroups{}, exact: true}
	for _, selector := range selectors {
		if err := a.read(ctx, selector, len(selectors)); err != nil {
			return nil, err
		}
	}
	m := &pb.Attention{
		Jobs: a.groups.sorted(a.exact && len(a.unreachable) == 0), Exact: a.exact, ScannedCount: uint32(a.scanned),
	}
	if c.coversAll() {
		m.Nodes, m.Unreachable = nodeProblems(a.groups, a.unreachable), a.unreachable
	}
	return m, nil
}

// attention collects what one call of GetAttention finds.
type attention struct {
	server *Server
	caller *principal
	now    time.Time

	groups      problemGroups
	pending     []engine.JobView // whose situation is not known yet
	scanned     int
	exact       bool
	unreachable []string
}

// read looks at the jobs that a selector selects, with one of so many parts of the work.
func (a *attention) read(ctx context.Context, selector job.Selector, parts int) error {
	q := engine.DueQuery{
		Selector: selector, Until: a.now.Add(retryAhead),
		MaxJobs: max(maxAttentionJobs/parts, minAttentionJobs), MaxTime: maxSearch / time.Duration(parts),
	}
	scan, err := a.server.cfg.Jobs.ViewDue(ctx, q, func(views []engine.JobView) error {
		for i := range views {
			v := &views[i]
			if a.caller.covers(v) && (v.State.Attempts > 0 || !v.Due.After(a.now)) {
				a.pending = append(a.pending, *v)
			}
		}
		if len(a.pending) < stateChunk {
			return nil
		}
		return a.look(ctx)
	})
	if err != nil {
		return err
	}
	a.scanned += scan.Read
	a.exact = a.exact && scan.Complete
	return a.look(ctx)
}

// look finds out what holds the pending jobs.
func (a *attention) look(ctx context.Context) error {
	seen, unreachable, err := a.server.look(ctx, a.pending)
	if err != nil {
		return err
	}
	a.pending = a.pending[:0]
	for i := range seen {
		a.groups.add(&seen[i], a.now)
	}
	for _, name := range unreachable {
		if !slices.Contains(a.unreachable, name) {
			a.unreachable = append(a.unreachable, name)
		}
	}
	return nil
}
