package management_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	pb "carillon/internal/managementv1"
	"carillon/internal/pagetoken"
)

// A modelJob is what the naive model knows of a job.
type modelJob struct {
	key   job.Key
	state pb.Job_State
	ext   *job.Ext
	due   time.Time
}

func byDue(a, b modelJob) int { return cmp.Or(a.due.Compare(b.due), byKey(a, b)) }

func byKey(a, b modelJob) int {
	x, y := a.key, b.key
	return cmp.Or(cmp.Compare(x.Target.Kind, y.Target.Kind), cmp.Compare(x.Target.Namespace, y.Target.Namespace),
		cmp.Compare(x.Target.Name, y.Target.Name), cmp.Compare(x.ActorID, y.ActorID), cmp.Compare(x.Name, y.Name))
}

func nameOf(k job.Key) string {
	if k.Target.Kind == job.Actor {
		return fmt.Sprintf("namespaces/%s/actorTypes/%s/actors/%s/reminders/%s", k.Target.Namespace, k.Target.Name, k.ActorID, k.Name)
	}
	return fmt.Sprintf("namespaces/%s/apps/%s/jobs/%s", k.Target.Namespace, k.Target.Name, k.Name)
}

// A condition is a part of a query, in the API and in the model.
type condition struct {
	text  string
	holds func(j modelJob) bool
}

func conditions() []condition {
	is := func(want string, field func(j modelJob) string) func(modelJob) bool {
		return func(j modelJob) bool { return field(j) == want }
	}
	name := func(j modelJob) string { return j.key.Name }
	appOf := func(j modelJob) string {
		if j.key.Target.Kind == job.Actor {
			return "owner"
		}
		return j.key.Target.Name
	}
	return []condition{
		{`name = "a-1*"`, func(j modelJob) bool { return strings.HasPrefix(name(j), "a-1") }},
		{`name : "3"`, func(j modelJob) bool { return strings.Contains(name(j), "3") }},
		{`"b-"`, func(j modelJob) bool { return strings.Contains(name(j), "b-") }},
		{`name != a-11`, func(j modelJob) bool { return name(j) != "a-11" }},
		{`kind = REMINDER`, func(j modelJob) bool { return j.key.Target.Kind == job.Actor }},
		{`kind != REMINDER`, func(j modelJob) bool { return j.key.Target.Kind == job.App }},
		{`app = x`, is("x", appOf)},
		{`namespace = n2`, func(j modelJob) bool { return j.key.Target.Namespace == "n2" }},
		{`actorType = x`, func(j modelJob) bool { return j.key.Target.Kind == job.Actor && j.key.Target.Name == "x" }},
		{`actor = 1`, func(j modelJob) bool { return j.key.ActorID == "1" }},
		{`state = OVERDUE`, func(j modelJob) bool { return j.state == pb.Job_OVERDUE }},
		{`state != OVERDUE`, func(j modelJob) bool { return j.state != pb.Job_OVERDUE }},
		{`condition = SCHEDULED`, func(j modelJob) bool { return j.state == pb.Job_SCHEDULED }},
		{`labels.team = billing`, func(j modelJob) bool { team, _ := j.ext.Label("team"); return team == "billing" }},
		{`labels.team != "billing"`, func(j modelJob) bool { team, _ := j.ext.Label("team"); return team != "billing" }},
		{`labels.team = *`, func(j modelJob) bool { _, ok := j.ext.Label("team"); return ok }},
		{`labels.team != *`, func(j modelJob) bool { _, ok := j.ext.Label("team"); return !ok }},
		{`labels.team = "b*"`, func(j modelJob) bool { team, _ := j.ext.Label("team"); return strings.HasPrefix(team, "b") }},
		{`labels.example.com/tier : "1"`, func(j modelJob) bool { tier, _ := j.ext.Label("example.com/tier"); return strings.Contains(tier, "1") }},
		{`labels.example.com/tier = ""`, func(j modelJob) bool { tier, ok := j.ext.Label("example.com/tier"); return ok && tier == "" }},
		{`labels.nothing = *`, func(modelJob) bool { return false }},
		{`description : "a b"`, func(j modelJob) bool { return j.ext != nil && strings.Contains(j.ext.Description, "a b") }},
		{`description != ""`, func(j modelJob) bool { return j.ext != nil && j.ext.Description != "" }},
	}
}

// TestListsAgreeWithModel changes jobs at random, and compares lists and counts with a naive model.
func TestListsAgreeWithModel(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.app.absent = true
		c := w.client("")
		r := rand.New(rand.NewPCG(5, 6))
		model := map[job.Key]modelJob{}
		for range 200 {
			for range r.IntN(8) {
				k, ext := randomKey(r), randomExt(r)
				switch r.IntN(3) {
				case 0:
					if err := w.Delete(t.Context(), k); err != nil {
						t.Fatal(err)
					}
					delete(model, k)
				case 1:
					w.scheduleWith(ext, k, time.Now())
					model[k] = modelJob{k, pb.Job_OVERDUE, ext, time.Now()}
				default:
					due := time.Now().Add(1000*time.Hour - time.Duration(r.IntN(3))*time.Second)
					w.scheduleWith(ext, k, due)
					model[k] = modelJob{k, pb.Job_SCHEDULED, ext, due}
				}
			}
			time.Sleep(time.Second)
			q := randomQuery(r, true)
			q.orderBy = []string{"", "due_time"}[r.IntN(2)]
			q.compare(t.Context(), t, c, 1+r.IntN(20), model)
		}
	})
}

// fill schedules many jobs of an app.
func (w *world) fill(n int) {
	w.t.Helper()
	var all []job.Request
	for i := range n {
		all = append(all, job.Request{Key: appKey("ns", "app", fmt.Sprintf("%06d", i)), Spec: job.Spec{AppID: "app"}})
		all[i].Spec.Plan.First = time.Now().Add(time.Hour).UTC().Round(0)
	}
	for _, err := range w.ScheduleAll(w.t.Context(), all) {
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestCountIsExactOrAFloorOrAbsent(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.fill(10_500)
		c := w.client("")
		for _, q := range []struct {
			filter string
			count  int // -1: absent
			exact  bool
		}{
			{"", 10_000, false},
			{`name = "00*"`, 10_000, true},
			{"state = OVERDUE", 0, true},
			{`name : "0104"`, 112, true},
		} {
			got, err := c.CountJobs(t.Context(), &pb.CountJobsRequest{Parent: "namespaces/ns/apps/app", Filter: q.filter})
			if err != nil || int(got.GetCount()) != q.count || got.GetExact() != q.exact {
				t.Errorf("%q: CountJobs = %v, %v, want %+v", q.filter, got, err, q)
			}
		}
	})
}

func TestPageSaysHowFarItSearched(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.fill(25_000)
		c := w.client("")
		req := &pb.ListJobsRequest{Parent: "namespaces/ns/apps/-", Filter: `name : "024999"`}
		for _, want := range []struct {
			jobs, scanned int
			through       string
		}{{0, 10_000, "009999"}, {0, 10_000, "019999"}, {1, 5000, "024999"}} {
			page, err := c.ListJobs(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.GetJobs()) != want.jobs || int(page.GetScannedCount()) != want.scanned || page.GetScannedThrough() != "namespaces/ns/apps/app/jobs/"+want.through {
				t.Errorf("a page has %d jobs and scanned %d through %s, want %+v", len(page.GetJobs()), page.GetScannedCount(), page.GetScannedThrough(), want)
			}
			req.PageToken = page.GetNextPageToken()
		}
		if req.GetPageToken() != "" {
			t.Error("there is a page behind the end")
		}
	})
}

func TestPageTokenBelongsToItsQuery(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.fill(10)
		c := w.client("")
		page, err := c.ListJobs(t.Context(), &pb.ListJobsRequest{Parent: "namespaces/ns", PageSize: 5})
		if err != nil || page.GetNextPageToken() == "" {
			t.Fatal(page, err)
		}
		for _, r := range []*pb.ListJobsRequest{
			{Parent: "namespaces/other", PageToken: page.GetNextPageToken()},
			{Parent: "namespaces/ns", Filter: "a", PageToken: page.GetNextPageToken()},
			{Parent: "namespaces/ns", OrderBy: "due_time", PageToken: page.GetNextPageToken()},
			{Parent: "namespaces/ns", PageToken: "x"},
			{Parent: "namespaces/ns", OrderBy: "due_time", PageToken: pagetoken.Encode([]byte("forged"), "namespaces/ns\x00\x00due_time")},
			{Parent: "namespaces/ns", PageToken: "AAAA"},
		} {
			if _, err := c.ListJobs(t.Context(), r); status.Code(err) != codes.InvalidArgument || fieldOf(err) != "pageToken" {
				t.Errorf("%v: %v, want that pageToken is wrong", r, err)
			}
		}
	})
}
