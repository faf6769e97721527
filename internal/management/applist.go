package management

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
	"carillon/internal/pagetoken"
	"carillon/internal/peerv1"
)

// Bounds of one list of apps, beside those of a list of jobs.
const (
	maxAppScan  = 1000 // apps that a page looks at
	listOverdue = 1000 // overdue jobs that are counted of each app
	listStreams = 10   // of each app and node
)

// ListApps implements [pb.ManagementServer].
func (s *Server) ListApps(ctx context.Context, r *pb.ListAppsRequest) (*pb.ListAppsResponse, error) {
	query := r.GetParent() + "\x00" + r.GetFilter()
	after, err := decodeTarget(r.GetPageToken(), query)
	if err != nil {
		return nil, err
	}
	selector, err := parseAppsParent(r.GetParent())
	if err != nil {
		return nil, err
	}
	f, err := parseAppFilter(r.GetFilter())
	if err != nil {
		return nil, err
	}
	c := callerOf(ctx)
	if !c.mayListApps(selector.Namespace) {
		return nil, errScope
	}
	q := &appSearch{selector: f.narrow(selector), filter: f, only: c.apps, limit: int(cmp.Or(r.GetPageSize(), defaultPageSize)), after: after}
	resp := new(pb.ListAppsResponse)
	if err := s.findApps(ctx, q, func(a *pb.App) { resp.Apps = append(resp.Apps, a) }); err != nil {
		return nil, err
	}
	if q.more {
		resp.NextPageToken = pagetoken.Encode(record.TargetKey(q.after), query)
	}
	resp.ScannedCount, resp.Unreachable = uint32(q.scanned), q.unreachable
	if q.scanned > 0 {
		resp.ScannedThrough = appName(q.after)
	}
	return resp, nil
}

// decodeTarget returns the target behind which a page begins; the zero target for the first page.
func decodeTarget(token, query string) (job.Target, error) {
	position, err := pagetoken.Decode(token, query)
	if position == nil && err == nil {
		return job.Target{}, nil
	}
	if errors.Is(err, pagetoken.ErrOtherList) {
		return job.Target{}, invalid("pageToken", "it belongs to another parent or filter: keep both, or begin with the first page")
	}
	t, malformed := record.ParseTarget(position)
	if err != nil || malformed != nil {
		return job.Target{}, invalid("pageToken", "it is not a next_page_token of this server: begin with the first page")
	}
	return t, nil
}

// An appSearch finds apps page by page.
type appSearch struct {
	selector job.Selector
	filter   appFilter
	only     []string // the apps that the caller may see; nil: all
	limit    int      // the most apps to find

	after       job.Target // the cursor: the last that was looked at
	more        bool       // others may follow
	scanned     int
	unreachable []string
}

// findApps calls found with each app until the search has reached its limits.
func (s *Server) findApps(ctx context.Context, q *appSearch, found func(*pb.App)) error {
	begin := time.Now()
	for n := 0; ; {
		chunk := min(q.limit-n, peerv1.MaxTargets)
		if len(q.filter.terms)+len(q.filter.words) > 0 {
			chunk = peerv1.MaxTargets // few of them may match
		}
		targets, more, err := s.nextTargets(ctx, q, chunk)
		if err != nil {
			return err
		}
		matching := slices.DeleteFunc(slices.Clone(targets), func(t listedTarget) bool { return !q.filter.matchesTarget(t.Target) })
		var all []*pb.App
		if len(matching) > 0 {
			var unreachable []string
			if all, unreachable, err = s.describe(ctx, matching, appDetail{overdue: listOverdue, streams: listStreams}); err != nil {
				return err
			}
			q.noteUnreachable(unreachable)
		}
		q.more = more
		for _, t := range targets {
			q.scanned, q.after = q.scanned+1, t.Target
			if len(matching) == 0 || matching[0].Target != t.Target {
				continue
			}
			a := all[0]
			matching, all = matching[1:], all[1:]
			if !a.GetHasJobs() && !a.GetConnected() || !q.filter.matchesApp(a) {
				continue
			}
			found(a)
			if n++; n == q.limit {
				q.more = more || t != targets[len(targets)-1]
				return nil
			}
		}
		if !more || q.scanned >= maxAppScan || time.Since(begin) > maxSearch {
			return nil
		}
	}
}

// nextTargets returns the next targets behind the cursor that have jobs or a connected sidecar, in
// order, limit at most. more says that others may follow. For a caller that may see only some apps,
// it returns those, whether they have either or not: so nothing has the names of others.
func (s *Server) nextTargets(ctx context.Context, q *appSearch, limit int) (targets []listedTarget, more bool, err error) {
	if q.only != nil {
		return s.nextOnly(ctx, q, limit)
	}
	stored, moreStored, err := s.cfg.Jobs.Targets(ctx, q.selector, q.after, limit)
	if err != nil {
		return nil, false, err
	}
	r := &peerv1.ConnectedTargetsRequest{
		Kind: uint32(q.selector.Kind), Namespace: q.selector.Namespace, Target: q.selector.Target, Limit: uint32(limit),
	}
	if q.after != (job.Target{}) {
		r.After = record.TargetKey(q.after)
	}
	answers, unreachable, err := s.cfg.Cluster.ConnectedTargets(ctx, r)
	if err != nil {
		return nil, false, err
	}
	q.noteUnreachable(unreachable)
	merged := targetMerge{}
	merged.add(stored, moreStored, true)
	for _, a := range answers {
		connected := make([]job.Target, 0, len(a.GetTargets()))
		for _, b := range a.GetTargets() {
			t, err := record.ParseTarget(b)
			if err != nil {
				return nil, false, err
			}
			connected = append(connected, t)
		}
		merged.add(connected, a.GetMore(), false)
	}
	targets, more = merged.first(limit)
	return targets, more, nil
}

// nextOnly is nextTargets for a caller that may see only some apps of the namespace.
func (s *Server) nextOnly(ctx context.Context, q *appSearch, limit int) (targets []listedTarget, more bool, err error) {
	for _, name := range slices.Compact(slices.Sorted(slices.Values(q.only))) {
		t := job.Target{Kind: job.App, Namespace: q.selector.Namespace, Name: name}
		if compareTargets(t, q.after) <= 0 {
			continue
		}
		if len(targets) == limit {
			return targets, true, nil
		}
		hasJobs, err := s.hasJobs(ctx, t)
		if err != nil {
			return nil, false, err
		}
		targets = append(targets, listedTarget{t, hasJobs})
	}
	return targets, false, nil
}

// noteUnreachable adds nodes that did not answer.
func (q *appSearch) noteUnreachable(nodes []string) {
	for _, name := range nodes {
		if !slices.Contains(q.unreachable, name) {
			q.unreachable = append(q.unreachable, name)
		}
	}
}
