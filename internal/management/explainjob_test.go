package management_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/engine"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

func TestJobSaysWhyItHasNotRun(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		c, k := w.client(""), appKey("ns", "app", "a")
		// expect compares the reason, the closed gates, and those that are unknown.
		expect := func(reason, closed, unknown string) *pb.JobExplanation {
			t.Helper()
			got, err := c.ExplainJob(t.Context(), &pb.ExplainJobRequest{Name: nameOf(k)})
			if err != nil {
				t.Fatal(err)
			}
			by := map[pb.Gate_Status]string{}
			for i, g := range got.GetGates() {
				if int(g.GetType()) != i+1 || g.GetMessage() == "" {
					t.Errorf("gate %d is %v", i, g)
				}
				by[g.GetStatus()] = strings.TrimSpace(by[g.GetStatus()] + " " + g.GetType().String())
			}
			if got.GetReason() != reason || got.GetMessage() == "" || by[pb.Gate_CLOSED] != closed || by[pb.Gate_UNKNOWN] != unknown || len(got.GetGates()) != 7 {
				t.Errorf("%s: %q; closed: %s; unknown: %s; want %s; %s; %s", got.GetReason(), got.GetMessage(), by[pb.Gate_CLOSED], by[pb.Gate_UNKNOWN], reason, closed, unknown)
			}
			return got
		}
		since := func(e *pb.JobExplanation, gate pb.Gate_Type, want time.Time) {
			t.Helper()
			if got := e.GetGates()[gate-1].GetSinceTime(); got == nil || !got.AsTime().Equal(want) {
				t.Errorf("%v is so since %v, want since %v", gate, got.AsTime(), want)
			}
		}
		due := time.Now().Add(time.Hour)
		w.receivers = engine.ReceiversReady
		w.app.answer, w.app.after = job.Failed, 10*time.Second
		w.schedule(k, due)
		if e := expect("NotDue", "DUE", "APP_ANSWERS"); !strings.Contains(e.GetMessage(), due.UTC().Format(time.RFC3339)) {
			t.Errorf("%q does not say when the job is due: %v", e.GetMessage(), due)
		}
		time.Sleep(time.Hour + time.Second)
		e := expect("AttemptInFlight", "APP_ANSWERS", "")
		since(e, pb.Gate_DUE, due)
		since(e, pb.Gate_APP_ANSWERS, due)
		time.Sleep(30 * time.Second)
		expect("AttemptFailed", "DUE APP_ANSWERS", "")

		w.app.mu.Lock()
		w.app.absent = true
		w.app.mu.Unlock()
		w.receivers = engine.ReceiversFull
		time.Sleep(time.Minute)
		since(expect("SidecarsFull", "SIDECAR_CAPACITY APP_ANSWERS", ""), pb.Gate_SIDECAR_CAPACITY, due.Add(time.Minute))
		w.receivers = engine.ReceiversAbsent
		since(expect("NoSidecarConnected", "SIDECAR_CONNECTED APP_ANSWERS", "SIDECAR_CAPACITY"), pb.Gate_SIDECAR_CONNECTED, due.Add(time.Minute))
		w.storeFull = true
		expect("NoSidecarConnected", "STORE_COMMITS SIDECAR_CONNECTED APP_ANSWERS", "SIDECAR_CAPACITY")

		w.unreachable = []string{"nodes/b"}
		e = expect("OwnerUnreachable", "APP_ANSWERS", "OWNER STORE_COMMITS WITHIN_LIMITS SIDECAR_CONNECTED SIDECAR_CAPACITY")
		if got := e.GetUnreachable(); len(got) != 1 || got[0] != "nodes/b" {
			t.Errorf("unreachable: %v, want nodes/b", got)
		}
	})
}

func TestWhyWorksInURLs(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		for _, k := range []job.Key{appKey("ns", "app", "x"), appKey("ns", "app", "x:why")} {
			w.schedule(k, time.Now().Add(time.Hour))
		}
		for path, want := range map[string]string{
			"/v1/namespaces/ns/apps/app/jobs/x:why":       "NotDue",
			"/v1/namespaces/ns/apps/app/jobs/x%3Awhy:why": "NotDue",
		} {
			if code, body := w.get(path); code != http.StatusOK || body["reason"] != want {
				t.Errorf("GET %s = %d, %v, want the reason %s", path, code, body, want)
			}
		}
		if code, body := w.get("/v1/namespaces/ns/apps/app/jobs/x%3Awhy"); code != http.StatusOK || body["name"] != "namespaces/ns/apps/app/jobs/x:why" {
			t.Errorf("GET of the job x:why = %d, %v, want that job", code, body)
		}
		_, err := w.client("").ExplainJob(t.Context(), &pb.ExplainJobRequest{Name: nameOf(appKey("ns", "app", "missing"))})
		if status.Code(err) != codes.NotFound {
			t.Errorf("a missing job: %v, want NotFound", err)
		}
	})
}
