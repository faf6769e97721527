package app_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
)

// A workflow engine schedules such a job to wait for an event without a timeout.
func TestJobOfYear9999IsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const never = "9999-12-31T23:59:59.999999999Z"
		w := start(t, vfs.NewMem())
		w.schedule("event", `{"job": {"dueTime": "`+never+`", "data": "payload"}}`)
		w.schedule("recurring", `{"job": {"dueTime": "`+never+`", "schedule": "TZ=Europe/Berlin 0 0 0 1 1 *", "ttl": "`+never+`"}}`)
		w.schedule("past", `{"job": {"dueTime": "0001-01-01T00:00:00Z"}}`)
		synctest.Wait()
		if got := w.app.requests(); len(got) != 1 || got[0].path != "POST /job/past" {
			t.Errorf("at once the app received %v, want the job of the year 1", got)
		}
		w.stop()
		w = start(t, w.disk)
		defer w.stop()
		time.Sleep(30 * 24 * time.Hour)
		synctest.Wait()
		if got := w.app.requests(); len(got) > 0 {
			t.Errorf("after a month the app received %v", got)
		}
		if status, body := w.call("GET", "/v1.0/jobs/event", ""); status != http.StatusAccepted ||
			!strings.Contains(body, `"dueTime":"`+never+`"`) || !strings.Contains(body, `"data":"payload"`) {
			t.Errorf("GET = %d %s, want the job as it was given", status, body)
		}
		c, ctx := w.client()
		res, err := c.ListJobs(ctx, &runtimev1.ListJobsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if jobs := res.GetJobs(); len(jobs) != 2 || jobs[0].GetDueTime() != never || jobs[1].GetTtl() != never {
			t.Errorf("the list is %v, want both jobs as they were given", jobs)
		}
		for _, name := range []string{"event", "recurring"} {
			if status, _ := w.call("DELETE", "/v1.0/jobs/"+name, ""); status != http.StatusAccepted {
				t.Errorf("DELETE %s = %d", name, status)
			}
			if status, _ := w.call("GET", "/v1.0/jobs/"+name, ""); status != http.StatusInternalServerError {
				t.Errorf("when it is deleted, GET %s = %d", name, status)
			}
		}
		if status, body := w.call("GET", "/v1.0/healthz", ""); status != http.StatusNoContent {
			t.Errorf("healthz = %d %s", status, body)
		}
	})
}
