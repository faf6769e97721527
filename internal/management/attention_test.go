package management_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"carillon/internal/engine"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

// attention asks for all that needs a person.
func (w *world) attention() *pb.Attention {
	w.t.Helper()
	a, err := w.client("").GetAttention(w.t.Context(), &pb.GetAttentionRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// set changes how the app answers.
func (w *world) set(absent bool, answer job.Outcome, after time.Duration) {
	w.app.mu.Lock()
	defer w.app.mu.Unlock()
	w.app.absent, w.app.answer, w.app.after = absent, answer, after
}

// TestAttentionGroupsJobsByCause has an app that is absent, fails or hangs.
func TestAttentionGroupsJobsByCause(t *testing.T) {
	for _, c := range []struct {
		name   string
		set    func(w *world)
		wait   time.Duration // after which the jobs need nobody
		late   time.Duration // after which they do
		reason string
		state  pb.Job_State
	}{
		{"absent", func(w *world) { w.set(true, job.Handled, 0); w.receivers = engine.ReceiversAbsent }, 5 * time.Second, 20 * time.Second, "NoSidecarConnected", pb.Job_OVERDUE},
		{"full", func(w *world) { w.set(true, job.Handled, 0); w.receivers = engine.ReceiversFull }, 5 * time.Second, 20 * time.Second, "SidecarsFull", pb.Job_OVERDUE},
		{"failing", func(w *world) { w.set(false, job.Failed, 0) }, 0, 10 * time.Second, "AttemptFailed", pb.Job_RETRYING},
		{"hung", func(w *world) { w.set(false, job.Handled, 100*time.Hour) }, 5 * time.Minute, 11 * time.Minute, "NoAnswer", pb.Job_RUNNING},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T, w *world) {
				c.set(w)
				begin := time.Now()
				for i := range 3 {
					w.schedule(appKey("ns", "app", fmt.Sprint("j", i)), begin.Add(time.Duration(i+1)*time.Second))
					w.schedule(appKey("ns", "app", fmt.Sprint("later", i)), begin.Add(90*time.Hour))
				}
				if c.wait > 0 {
					time.Sleep(c.wait + 3*time.Second)
					if a := w.attention(); len(a.GetJobs()) > 0 || len(a.GetNodes()) > 0 || !a.GetExact() {
						t.Errorf("after %v: %v, want nothing", c.wait, a)
					}
				}
				time.Sleep(time.Until(begin.Add(c.late + 4*time.Second)))
				a := w.attention()
				if len(a.GetJobs()) != 1 {
					t.Fatalf("after %v: %v, want one problem", c.late, a)
				}
				p := a.GetJobs()[0]
				if p.GetApp() != "namespaces/ns/apps/app" || p.GetReason() != c.reason || p.GetState() != c.state || p.GetCount() != 3 || !p.GetExact() ||
					!p.GetOldestTime().AsTime().Equal(begin.Add(time.Second)) || !p.GetNewestTime().AsTime().Equal(begin.Add(3*time.Second)) ||
					p.GetExampleJob() != nameOf(appKey("ns", "app", "j0")) || p.GetMessage() == "" {
					t.Errorf("%v", p)
				}
			})
		})
	}
}

func TestNothingNeedsAPersonIfAllRuns(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		for i := range 20 {
			w.schedule(appKey("ns", "app", fmt.Sprint(i)), time.Now().Add(time.Duration(i)*time.Second))
		}
		time.Sleep(10 * time.Second)
		code, body := w.get("/v1/attention")
		if code != http.StatusOK || fmt.Sprint(body["jobs"], body["nodes"], body["exact"]) != "[] [] true" {
			t.Errorf("%d, %v, want nothing", code, body)
		}
	})
}

func TestLostNodeNeedsAPerson(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.set(true, job.Handled, 0)
		w.schedule(appKey("ns", "app", "a"), time.Now())
		w.unreachable = []string{"node-b"}
		time.Sleep(time.Minute)
		a := w.attention()
		if len(a.GetNodes()) != 1 || a.GetNodes()[0].GetNode() != "node-b" || a.GetNodes()[0].GetReason() != "NoAnswer" ||
			len(a.GetJobs()) != 1 || a.GetJobs()[0].GetReason() != "OwnerUnreachable" || a.GetJobs()[0].GetExact() {
			t.Errorf("%v", a)
		}
	})
}

// TestLargeAppHidesNoOtherProblem has an app with more overdue jobs than one call looks at.
func TestLargeAppHidesNoOtherProblem(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.set(true, job.Handled, 0)
		w.receivers = engine.ReceiversAbsent
		for i := range 25_000 {
			w.schedule(appKey("ns", "large", fmt.Sprint(i)), time.Now())
		}
		w.schedule(appKey("ns", "small", "a"), time.Now().Add(time.Second))
		time.Sleep(time.Minute)
		a := w.attention()
		if len(a.GetJobs()) != 2 || a.GetExact() || a.GetJobs()[0].GetExact() || a.GetJobs()[0].GetCount() < 5000 || a.GetJobs()[1].GetApp() != "namespaces/ns/apps/small" {
			t.Errorf("%v", a)
		}
	})
}
