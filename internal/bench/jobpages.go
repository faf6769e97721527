package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/managementv1"
)

// jobPage is how many jobs a page has.
const jobPage = 50

// jobPages measures pages, a filter and counts of the management API of a server with n jobs of the
// app, whose names are numbers from 0: row 21. One caller reads page after page. before is the
// memory of the server before that.
func (b *bench) jobPages(ctx context.Context, t *measuredServer, app string, n int, before float64) (results []RowResult, err error) {
	conn, err := grpc.NewClient("passthrough:///"+t.management, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("connect to the management API: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	api := managementv1.NewManagementClient(conn)
	what := format(float64(n), "") + " stored: "
	list := &managementv1.ListJobsRequest{Parent: "namespaces/" + namespace + "/apps/" + app, PageSize: jobPage}

	b.progress("pages by name")
	byName, err := b.pages(ctx, api, list, "name", what+"a page of 50 jobs by name, p99")
	if err != nil {
		return nil, err
	}
	b.progress("pages by next due time")
	byDue, err := b.pages(ctx, api, list, "due_time", what+"a page of 50 jobs by next due time, p99")
	if err != nil {
		return nil, err
	}
	b.progress("a filter")
	filtered, err := findOne(ctx, api, list, strconv.Itoa(n/2), what)
	if err != nil {
		return nil, err
	}
	b.progress("counts")
	counted, err := b.counts(ctx, api, list.GetParent(), what)
	if err != nil {
		return nil, err
	}
	after, err := b.residentMemory(ctx, t)
	if err != nil {
		return nil, err
	}
	memory := RowResult{
		Row: 21, Measure: what + "memory after these lists", Value: after, Unit: "B", Threshold: atMost(1.5, 1.1),
		Baseline: &Baseline{Name: "before", Value: before, Values: []float64{before}},
	}
	if before > 0 {
		memory.Ratio = after / before
	}
	return []RowResult{byName, byDue, filtered, counted, memory}, nil
}

// pages reads pages in an order, from the first one on, again and again.
func (b *bench) pages(
	ctx context.Context, api managementv1.ManagementClient, list *managementv1.ListJobsRequest, order, measure string,
) (RowResult, error) {
	list.OrderBy, list.Filter, list.PageToken = order, "", ""
	var took []time.Duration
	for range b.cfg.Sizes.Pages {
		begin := time.Now()
		page, err := api.ListJobs(ctx, list)
		if err != nil {
			return RowResult{}, fmt.Errorf("list jobs by %s: %w", order, err)
		}
		took = append(took, time.Since(begin))
		if len(page.GetJobs()) != jobPage && page.GetNextPageToken() != "" {
			return RowResult{}, fmt.Errorf("list jobs by %s: a page has %d jobs, want %d", order, len(page.GetJobs()), jobPage)
		}
		list.PageToken = page.GetNextPageToken()
	}
	slices.Sort(took)
	return RowResult{
		Row: 21, Measure: measure, Value: in(time.Millisecond, percentile(took, 0.99)), Unit: "ms", Threshold: atMost(20, 10),
		Detail: append(spread("page", took), Figure{"pages", float64(len(took)), ""}),
	}, nil
}

// findOne reads pages of a filter that matches the job with this name alone, until one has it.
func findOne(
	ctx context.Context, api managementv1.ManagementClient, list *managementv1.ListJobsRequest, name, what string,
) (RowResult, error) {
	list.OrderBy, list.Filter, list.PageToken = "", "name : "+name, ""
	var took []time.Duration
	total, scanned := time.Duration(0), uint32(0)
	for {
		begin := time.Now()
		page, err := api.ListJobs(ctx, list)
		if err != nil {
			return RowResult{}, fmt.Errorf("list jobs with a filter: %w", err)
		}
		took, total = append(took, time.Since(begin)), total+time.Since(begin)
		scanned += page.GetScannedCount()
		if len(page.GetJobs()) > 0 {
			break
		}
		if list.PageToken = page.GetNextPageToken(); list.GetPageToken() == "" {
			return RowResult{}, fmt.Errorf("list jobs with a filter: the job %s is not found", name)
		}
	}
	return RowResult{
		Row: 21, Measure: what + "a filter that matches one job, until it is found", Value: total.Seconds(), Unit: "s",
		Detail: append(spread("page", took), Figure{"pages", float64(len(took)), ""}, Figure{"jobs read", float64(scanned), ""}),
	}, nil
}

// counts counts the jobs of a parent several times.
func (b *bench) counts(ctx context.Context, api managementv1.ManagementClient, parent, what string) (RowResult, error) {
	var took []time.Duration
	count := new(managementv1.CountJobsResponse)
	for range max(1, b.cfg.Sizes.Pages/10) {
		begin := time.Now()
		var err error
		if count, err = api.CountJobs(ctx, &managementv1.CountJobsRequest{Parent: parent}); err != nil {
			return RowResult{}, fmt.Errorf("count jobs: %w", err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	note := "counted all " + format(float64(count.GetCount()), "")
	if !count.GetExact() {
		note = "counted " + format(float64(count.GetCount()), "") + " or more"
	}
	return RowResult{
		Row: 21, Measure: what + "a count, p99", Value: in(time.Millisecond, percentile(took, 0.99)), Unit: "ms",
		Detail: spread("count", took), Notes: []string{note},
	}, nil
}
