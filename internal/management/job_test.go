package management_test

import (
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

// fieldOf returns the field that an error names.
func fieldOf(err error) string {
	for _, d := range status.Convert(err).Details() {
		if b, ok := d.(*errdetails.BadRequest); ok {
			return b.GetFieldViolations()[0].GetField()
		}
	}
	return ""
}

func TestJobShowsItsState(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		c, k := w.client(""), appKey("ns", "app", "a")
		due := time.Now().Add(time.Minute).UTC().Round(0)
		w.app.answer, w.app.after = job.Failed, time.Hour
		w.schedule(k, due)
		expect := func(want pb.Job_State, reason string, since time.Time) {
			t.Helper()
			j, err := c.GetJob(t.Context(), &pb.GetJobRequest{Name: nameOf(k)})
			if err != nil {
				t.Fatal(err)
			}
			got := j.GetConditions()[0]
			if j.GetState() != want || got.GetType() != want || got.GetReason() != reason || (got.GetSinceTime() == nil) != since.IsZero() ||
				!since.IsZero() && !got.GetSinceTime().AsTime().Equal(since) {
				t.Errorf("the job is %v, with %v, want %v because of %s since %v", j.GetState(), got, want, reason, since)
			}
		}
		expect(pb.Job_SCHEDULED, "NotDue", time.Time{})
		if j, err := c.GetJob(t.Context(), &pb.GetJobRequest{Name: nameOf(k)}); err != nil || !strings.HasPrefix(j.GetWords(), "once at 2000-01-01 00:01") {
			t.Errorf("GetJob = %v, %v, want that it is once at the due time", j.GetWords(), err)
		}
		time.Sleep(2 * time.Minute)
		expect(pb.Job_RUNNING, "AttemptInFlight", due)
		time.Sleep(time.Hour - time.Minute) // it is due again a minute after its due time
		expect(pb.Job_RUNNING, "AttemptInFlight", due.Add(time.Hour))
		w.app.mu.Lock()
		w.app.after, w.app.absent = 0, true
		w.app.mu.Unlock()
		time.Sleep(time.Hour)
		expect(pb.Job_RETRYING, "AttemptFailed", time.Time{})
		w.schedule(k, time.Now())
		overdue := time.Now()
		time.Sleep(time.Minute)
		expect(pb.Job_OVERDUE, "SidecarsFull", overdue)
		w.unreachable = []string{"nodes/b"}
		expect(pb.Job_UNKNOWN, "OwnerUnreachable", overdue)
		page, err := c.ListJobs(t.Context(), &pb.ListJobsRequest{Parent: "namespaces/-"})
		if err != nil || len(page.GetUnreachable()) != 1 || page.GetUnreachable()[0] != "nodes/b" {
			t.Errorf("ListJobs = %v, %v, want that node b does not answer", page, err)
		}
	})
}

func TestPayloadIsShownOnlyInTheFullView(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		k := appKey("ns", "app", "a")
		w.schedule(k, time.Now().Add(time.Hour))
		c := w.client("")
		basic, err := c.GetJob(t.Context(), &pb.GetJobRequest{Name: nameOf(k)})
		if err != nil || basic.GetSpec().GetPayload() != nil || basic.GetSpec().GetPayloadBytes() != 14 {
			t.Errorf("GetJob = %v, %v, want no payload, and that it has 14 bytes", basic, err)
		}
		if strings.Contains(w.log.String(), "msg=audit") {
			t.Error("a call that shows no payload is in the audit log")
		}
		full, err := c.GetJob(t.Context(), &pb.GetJobRequest{Name: nameOf(k), View: pb.GetJobRequest_FULL})
		if err != nil || string(full.GetSpec().GetPayload().GetValue()) != "secret payload" {
			t.Errorf("GetJob = %v, %v, want the payload", full, err)
		}
		if !strings.Contains(w.log.String(), "msg=audit") || !strings.Contains(w.log.String(), "resource="+nameOf(k)) {
			t.Error("that the payload was shown is not in the audit log")
		}
		if strings.Contains(w.log.String(), "secret payload") {
			t.Error("the payload is in the log")
		}
	})
}

func TestJobShowsItsLabels(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		labels := map[string]string{"example.com/team": "billing", "urgent": ""}
		ext, err := job.NewExt(labels, "sends “invoices”")
		if err != nil {
			t.Fatal(err)
		}
		labelled, plain := appKey("ns", "app", "labelled"), appKey("ns", "app", "plain")
		w.scheduleWith(ext, labelled, time.Now().Add(time.Hour))
		w.schedule(plain, time.Now().Add(time.Hour))
		c := w.client("")
		page, err := c.ListJobs(t.Context(), &pb.ListJobsRequest{Parent: "namespaces/ns"})
		if err != nil || len(page.GetJobs()) != 2 {
			t.Fatal(page, err)
		}
		one, err := c.GetJob(t.Context(), &pb.GetJobRequest{Name: nameOf(labelled)})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range []*pb.Job{one, page.GetJobs()[0]} {
			if !maps.Equal(j.GetLabels(), labels) || j.GetDescription() != "sends “invoices”" {
				t.Errorf("the job has the labels %v and the description %q", j.GetLabels(), j.GetDescription())
			}
		}
		if j := page.GetJobs()[1]; len(j.GetLabels()) > 0 || j.GetDescription() != "" {
			t.Errorf("the other job has the labels %v and the description %q, want none", j.GetLabels(), j.GetDescription())
		}
		code, body := w.get("/v1/namespaces/ns/apps/app/jobs/labelled")
		if got, ok := body["labels"].(map[string]any); code != 200 || !ok || got["example.com/team"] != "billing" || body["description"] != "sends “invoices”" {
			t.Errorf("over HTTP the job is %d %v", code, body)
		}
		code, body = w.get("/v1/namespaces/ns/jobs:count?filter=" + url.QueryEscape(`labels.example.com/team = "billing" AND description : invoices`))
		if code != 200 || body["count"] != 1.0 {
			t.Errorf("over HTTP the count is %d %v, want 1", code, body)
		}
	})
}

func TestInvalidFieldIsNamed(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		c := w.client("")
		get := func(r *pb.GetJobRequest) error { _, err := c.GetJob(t.Context(), r); return err }
		list := func(r *pb.ListJobsRequest) error { _, err := c.ListJobs(t.Context(), r); return err }
		for text, e := range map[string]struct {
			err   error
			field string
		}{
			"no name":             {get(&pb.GetJobRequest{}), "name"},
			"a short name":        {get(&pb.GetJobRequest{Name: "namespaces/a/apps/b"}), "name"},
			"an empty part":       {get(&pb.GetJobRequest{Name: "namespaces//apps/b/jobs/c"}), "name"},
			"a long name":         {get(&pb.GetJobRequest{Name: "namespaces/a/apps/b/jobs/" + strings.Repeat("x", 600)}), "name"},
			"a longer name":       {get(&pb.GetJobRequest{Name: strings.Repeat("x", 2000)}), "name"},
			"a character":         {get(&pb.GetJobRequest{Name: "namespaces/a/apps/b/jobs/c#d"}), "name"},
			"an unknown view":     {get(&pb.GetJobRequest{Name: "namespaces/a/apps/b/jobs/c", View: 9}), "view"},
			"a parent":            {list(&pb.ListJobsRequest{Parent: "apps/a"}), "parent"},
			"a negative size":     {list(&pb.ListJobsRequest{Parent: "namespaces/a", PageSize: -1}), "pageSize"},
			"a large size":        {list(&pb.ListJobsRequest{Parent: "namespaces/a", PageSize: 1001}), "pageSize"},
			"an order":            {list(&pb.ListJobsRequest{Parent: "namespaces/a", OrderBy: "due_time desc"}), "orderBy"},
			"a long filter":       {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: strings.Repeat("x", 3000)}), "filter"},
			"a field":             {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: "stat = OVERDUE"}), "filter"},
			"a state":             {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: "state = LATE"}), "filter"},
			"no value":            {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: "state ="}), "filter"},
			"no field":            {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: "= a"}), "filter"},
			"or":                  {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: "a OR b"}), "filter"},
			"nothing after and":   {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: "a AND"}), "filter"},
			"an open quote":       {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: `name = "a`}), "filter"},
			"a star in the text":  {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: "name = a*b"}), "filter"},
			"a label without key": {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: "labels. = a"}), "filter"},
			"a malformed label":   {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: "labels.-a = a"}), "filter"},
			"all labels":          {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: "labels = a"}), "filter"},
			"a bracket":           {list(&pb.ListJobsRequest{Parent: "namespaces/a", Filter: "(a)"}), "filter"},
		} {
			if status.Code(e.err) != codes.InvalidArgument || fieldOf(e.err) != e.field {
				t.Errorf("%s: %v, which names %q; want INVALID_ARGUMENT that names %q", text, e.err, fieldOf(e.err), e.field)
			}
		}
	})
}
