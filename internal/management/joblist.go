package management

import (
	"context"
	"errors"
	"slices"
	"time"

	"carillon/internal/engine"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
	"carillon/internal/pagetoken"
)

// Bounds of one list or count. Behind the first of them, a page ends and a count is a floor.
const (
	defaultPageSize = 50
	maxListScan     = 10_000  // jobs that a page reads
	maxCountScan    = 100_000 // jobs that a count reads
	maxCount        = 10_000
	maxSearch       = 2 * time.Second
	stateChunk      = 256 // jobs whose state is found out at a time, for a filter
)

// orderByDue is the value of order_by for due order.
const orderByDue = "due_time"

// ListJobs implements [pb.ManagementServer].
func (s *Server) ListJobs(ctx context.Context, r *pb.ListJobsRequest) (*pb.ListJobsResponse, error) {
	query := r.GetParent() + "\x00" + r.GetFilter()
	if r.GetOrderBy() == orderByDue {
		query += "\x00" + orderByDue
	}
	after, err := pagetoken.Decode(r.GetPageToken(), query)
	switch {
	case errors.Is(err, pagetoken.ErrOtherList):
		return nil, invalid("pageToken", "it belongs to another parent, filter or order: keep them, or begin with the first page")
	case err != nil:
		return nil, errPageToken
	}
	f, err := s.newSearch(ctx, r.GetParent(), r.GetFilter())
	if err != nil {
		return nil, err
	}
	f.after, f.limit, f.maxScan = after, int(r.GetPageSize()), maxListScan
	if f.limit == 0 {
		f.limit = defaultPageSize
	}
	if r.GetOrderBy() == orderByDue {
		f.Order = engine.ByDue
	}
	resp := new(pb.ListJobsResponse)
	err = s.run(ctx, f, func(j seenJob) { resp.Jobs = append(resp.Jobs, j.message()) })
	switch {
	case errors.Is(err, engine.ErrCursor):
		return nil, errPageToken
	case errors.Is(err, engine.ErrTooManyLanes):
		return nil, invalid("orderBy", "too many apps have jobs below this parent: name an app or a namespace, or order by name")
	case err != nil:
		return nil, err
	}
	if f.after != nil {
		resp.NextPageToken = pagetoken.Encode(f.after, query)
	}
	resp.ScannedCount, resp.Unreachable = uint32(f.scanned), f.unreachable
	if f.last.key != (job.Key{}) {
		resp.ScannedThrough, resp.ScannedThroughTime = jobName(f.last.key), timestamp(f.last.due)
	}
	return resp, nil
}

// errPageToken is the error of a page token that the server has not made.
var errPageToken = invalid("pageToken", "it is not a next_page_token of this server: begin with the first page")

// CountJobs implements [pb.ManagementServer].
func (s *Server) CountJobs(ctx context.Context, r *pb.CountJobsRequest) (*pb.CountJobsResponse, error) {
	f, err := s.newSearch(ctx, r.GetParent(), r.GetFilter())
	if err != nil {
		return nil, err
	}
	f.limit, f.maxScan = maxCount, maxCountScan
	count := uint32(0)
	if err := s.run(ctx, f, func(seenJob) { count++ }); err != nil {
		return nil, err
	}
	// A node that does not answer hides the states of its jobs.
	resp := &pb.CountJobsResponse{Exact: f.after == nil && len(f.unreachable) == 0, Unreachable: f.unreachable}
	if count > 0 || resp.GetExact() {
		resp.Count = &count
	}
	return resp, nil
}

// A search finds jobs page by page.
type search struct {
	engine.ViewQuery

	filter  filter
	limit   int // the most jobs to find
	maxScan int // the most jobs to read, approximately

	after       []byte // the cursor; nil at the beginning, and after the end
	scanned     int
	last        lastRead
	unreachable []string
}

// lastRead is the last job that a search has read.
type lastRead struct {
	key job.Key
	due time.Time // zero unless the search is in due order
}

// newSearch returns a search for what the caller of ctx may see below parent.
func (s *Server) newSearch(ctx context.Context, parent, text string) (*search, error) {
	selector, err := parseParent(parent)
	if err != nil {
		return nil, err
	}
	f, err := parseFilter(text)
	if err != nil {
		return nil, err
	}
	c, now := callerOf(ctx), s.cfg.Now()
	if !c.mayList(selector) {
		return nil, errScope
	}
	q := &search{filter: f}
	q.Selector = f.narrow(selector)
	q.Match = func(v *engine.JobView) bool {
		return c.covers(v) && f.matchesStored(v) && (!v.Due.After(now) || f.matchesState(situationOf(v, engine.DueProgress{}, now)))
	}
	return q, nil
}

// run calls found with each job until the search has reached its limits, and then sets the results.
func (s *Server) run(ctx context.Context, q *search, found func(seenJob)) error {
	begin := time.Now()
	needsState := q.filter.needsState()
	for n := 0; ; {
		q.After, q.Limit = q.after, q.limit-n
		if needsState {
			q.Limit = stateChunk
		}
		page, err := s.cfg.Jobs.ViewPage(ctx, q.ViewQuery)
		if err != nil {
			return err
		}
		q.scanned, q.after = q.scanned+page.Scanned, page.Next
		if page.Scanned > 0 {
			q.last = lastRead{page.Last, page.LastDue}
		}
		seen, missing, err := s.look(ctx, page.Views)
		if err != nil {
			return err
		}
		for _, name := range missing {
			if !slices.Contains(q.unreachable, name) {
				q.unreachable = append(q.unreachable, name)
			}
		}
		seen = q.inOrder(seen, page.Next)
		previous := q.last
		for _, j := range seen {
			if !q.filter.matchesState(j.situation) {
				continue
			}
			if n == q.limit {
				q.after, q.last = q.CursorBefore(&j.view), previous
				return nil
			}
			n, previous = n+1, q.readJob(&j.view)
			found(j)
		}
		if q.after == nil || n == q.limit || q.scanned >= q.maxScan || time.Since(begin) > maxSearch {
			return nil
		}
	}
}

// readJob returns v as the last job that q has read.
func (q *search) readJob(v *engine.JobView) lastRead {
	if q.Order == engine.ByDue {
		return lastRead{v.Key, v.Due}
	}
	return lastRead{key: v.Key}
}

// inOrder returns the jobs of a page in the order of q. In due order, jobs that were settled since
// they were read have another place, which may be on a later page.
func (q *search) inOrder(seen []seenJob, next []byte) []seenJob {
	if q.Order != engine.ByDue {
		return seen
	}
	if next != nil {
		seen = slices.DeleteFunc(seen, func(j seenJob) bool { return !q.Passed(next, &j.view) })
	}
	slices.SortFunc(seen, func(a, b seenJob) int { return q.Compare(&a.view, &b.view) })
	return seen
}
