package management_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

// randomKey returns one of some hundred keys.
func randomKey(r *rand.Rand) job.Key {
	k := job.Key{
		Target: job.Target{Kind: job.Kind(1 + r.IntN(2)), Namespace: []string{"n1", "n2"}[r.IntN(2)], Name: []string{"x", "xy"}[r.IntN(2)]},
		Name:   fmt.Sprintf("%c-%d", 'a'+rune(r.IntN(2)), r.IntN(40)),
	}
	if k.Target.Kind == job.Actor {
		k.ActorID = []string{"1", "2"}[r.IntN(2)]
	}
	return k
}

// randomExt returns the ext of a job, which may be nil, of few labels and descriptions.
func randomExt(r *rand.Rand) *job.Ext {
	labels, description := map[string]string{}, []string{"", "", "a b", "x a b.", "b a"}[r.IntN(5)]
	if r.IntN(2) == 0 {
		labels["team"] = []string{"billing", "bill", "mail", ""}[r.IntN(4)]
	}
	if r.IntN(3) == 0 {
		labels["example.com/tier"] = []string{"1", "21", ""}[r.IntN(3)]
	}
	ext, err := job.NewExt(labels, description)
	if err != nil {
		panic(err) // all of them are valid
	}
	return ext
}

// A query selects jobs, in the API and in the model.
type query struct {
	parent, filter string
	orderBy        string // empty: by name
	matches        func(modelJob) bool
}

// randomQuery returns a query. Without states, it does not depend on them.
func randomQuery(r *rand.Rand, states bool) query {
	some := randomKey(r).Target
	q := query{parent: "namespaces/" + some.Namespace}
	below := func(k job.Key) bool { return k.Target.Namespace == some.Namespace }
	switch r.IntN(4) {
	case 0:
		q.parent, below = "namespaces/-", func(job.Key) bool { return true }
	case 1:
		q.parent += "/apps/" + some.Name
		below = func(k job.Key) bool {
			return k.Target == job.Target{Kind: job.App, Namespace: some.Namespace, Name: some.Name}
		}
	case 2:
		q.parent = "namespaces/-/actorTypes/-/actors/1"
		below = func(k job.Key) bool { return k.ActorID == "1" }
	}
	var filter []string
	var holds []func(modelJob) bool
	for _, at := range r.Perm(len(conditions()))[:r.IntN(3)] {
		c := conditions()[at]
		if !states && (strings.HasPrefix(c.text, "state") || strings.HasPrefix(c.text, "condition")) {
			continue
		}
		filter, holds = append(filter, c.text), append(holds, c.holds)
	}
	q.filter = strings.Join(filter, " AND ")
	q.matches = func(j modelJob) bool {
		return below(j.key) && !slices.ContainsFunc(holds, func(h func(modelJob) bool) bool { return !h(j) })
	}
	return q
}

// of returns the jobs of a model that q selects, in the order of a list.
func (q query) of(model map[job.Key]modelJob) (want []modelJob) {
	for _, j := range model {
		if q.matches(j) {
			want = append(want, j)
		}
	}
	if slices.SortFunc(want, byKey); q.orderBy != "" {
		slices.SortFunc(want, byDue)
	}
	return want
}

// list returns all pages of q, and the nodes that did not answer. It calls between before each page
// but the first.
func (q query) list(ctx context.Context, t *testing.T, c pb.ManagementClient, size int, between func()) (got []*pb.Job, unreachable []string) {
	t.Helper()
	req := &pb.ListJobsRequest{Parent: q.parent, PageSize: int32(size), Filter: q.filter, OrderBy: q.orderBy}
	for {
		page, err := c.ListJobs(ctx, req)
		if err != nil {
			t.Fatalf("%v: %v", req, err)
		}
		if n := len(page.GetJobs()); n > size {
			t.Fatalf("%v: a page has %d jobs", req, n)
		}
		got, unreachable = append(got, page.GetJobs()...), append(unreachable, page.GetUnreachable()...)
		if req.PageToken = page.GetNextPageToken(); req.GetPageToken() == "" {
			return got, unreachable
		}
		between()
	}
}

// compare fails t unless lists and counts of q agree with the model.
func (q query) compare(ctx context.Context, t *testing.T, c pb.ManagementClient, size int, model map[job.Key]modelJob) {
	t.Helper()
	want := q.of(model)
	got, _ := q.list(ctx, t, c, size, func() {})
	if len(got) != len(want) {
		t.Fatalf("%s, %s: %d jobs, want %d", q.parent, q.filter, len(got), len(want))
	}
	for i, j := range got {
		if j.GetName() != nameOf(want[i].key) || j.GetState() != want[i].state {
			t.Errorf("%s, %s: job %d is %s, %v, want %s, %v", q.parent, q.filter, i, j.GetName(), j.GetState(), nameOf(want[i].key), want[i].state)
		}
	}
	count, err := c.CountJobs(ctx, &pb.CountJobsRequest{Parent: q.parent, Filter: q.filter})
	if err != nil || int(count.GetCount()) != len(want) || count.Count == nil || !count.GetExact() {
		t.Errorf("%s, %s: CountJobs = %v, %v, want exactly %d", q.parent, q.filter, count, err, len(want))
	}
}
