package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"

	"carillon/internal/sidecar"
)

// today has a call speak today's dialect, for the default app.
var today = [2]string{"dapr-app-id", ""}

func withDefaultApp(c *sidecar.Config) { c.DefaultApp = "sub" }

// asGiven are texts that a google.protobuf.Value would change.
func asGiven() []string {
	return []string{
		`12345678901234567890`, `9007199254740993`, `1.0`, `[1.10,1e2,-0,1e-400]`, `{"b":1,"a":{"d":2,"c":[3]}}`,
		`{"@type":"type.googleapis.com/google.type.Expr","expression":"x","a":null}`, `"\u00e9\/\ud83d\uDE00"`, `{"\u0062":1,"a\/":"<&>"}`,
	}
}

func TestDataComesBackAndArrivesAsItWasGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		w := start(t, disk, withDefaultApp)
		defer func() { w.stop() }()
		want := make(map[string]string)
		for i, data := range asGiven() {
			body := `"dueTime":"1h","data":` + data
			names := make([]string, 5)
			for form := range names {
				names[form] = fmt.Sprintf("%d-%d", i, form)
				want[names[form]] = data
			}
			w.schedule(names[0], "{"+body+"}")
			w.schedule(names[1], `{"job":{`+body+"}}")
			if code, answer := w.call("POST", "/v1.0/jobs/"+names[2], "{"+body+"}", today); code != http.StatusNoContent {
				t.Fatalf("POST: %d %s", code, answer)
			}
			code, answer := w.call("POST", "/v1/jobs/batch", `[{"name":"`+names[3]+`",`+body+`},{"name":"`+names[4]+`","job":{`+body+`}}]`)
			if code != http.StatusOK {
				t.Fatalf("a batch: %d %s", code, answer)
			}
		}
		check := func() {
			for name, data := range want {
				if code, answer := w.call("GET", "/v1.0/jobs/"+name, ""); code != http.StatusAccepted || !strings.Contains(answer, `"data":`+data+`,"failurePolicy"`) {
					t.Errorf("GET as published: %d %s, want %s", code, answer, data)
				}
				wrapped := `"data":{"@type":"type.googleapis.com/google.protobuf.Value","value":` + data + `},"failurePolicy"`
				if code, answer := w.call("GET", "/v1.0/jobs/"+name, "", today); code != http.StatusOK || !strings.Contains(answer, wrapped) {
					t.Errorf("GET: %d %s, want %s", code, answer, wrapped)
				}
			}
		}
		check()
		w.stop()
		w = start(t, disk, withDefaultApp) // it is stored so
		check()

		// A client of the gRPC API has the bytes, and may schedule them again.
		c, ctx := w.client()
		list, err := c.ListJobs(ctx, &runtimev1.ListJobsRequest{})
		if err != nil || len(list.GetJobs()) != len(want) {
			t.Fatalf("ListJobs: %v, %v", list, err)
		}
		for _, j := range list.GetJobs() {
			if _, err := c.ScheduleJob(ctx, &runtimev1.ScheduleJobRequest{Job: j, Overwrite: true}); err != nil {
				t.Fatal(err)
			}
		}
		check()
		time.Sleep(time.Hour)
		synctest.Wait()
		got := w.app.requests()
		if len(got) != len(want) {
			t.Errorf("%d triggers, want %d", len(got), len(want))
		}
		for _, r := range got {
			if data := want[strings.TrimPrefix(r.path, "POST /job/")]; r.body != data || r.length != int64(len(data)) {
				t.Errorf("the app received %+v, want %s", r, data)
			}
		}
	})
}
