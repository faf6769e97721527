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

const billing = `"ext":{"labels":{"example.com/team":"billing","urgent":""},"description":"“invoices”"}`

// extOf returns the ext in the body of a job, and what precedes it.
func (w *world) extOf(name string) (ext string) {
	w.t.Helper()
	status, body := w.call("GET", "/v1.0/jobs/"+name, "")
	if status != http.StatusAccepted {
		w.t.Fatalf("GET %s: %d %s", name, status, body)
	}
	_, ext, found := strings.Cut(body, `,"ext":`)
	if !found {
		return ""
	}
	return `"ext":` + strings.TrimSuffix(ext, "}")
}

func TestExtIsKeptUntilAppReplacesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		w := start(t, disk)
		w.schedule("flat", `{"schedule":"@every 1m","data":{"n":1},`+billing+`}`)
		w.schedule("wrapped", `{"job":{"dueTime":"48h",`+billing+`}}`)
		w.schedule("plain", `{"dueTime":"48h"}`)
		code, body := w.call("POST", "/v1/jobs/batch", `[{"name":"first","dueTime":"48h"},{"name":"second","dueTime":"48h",`+billing+`}]`)
		if code != http.StatusOK {
			t.Fatalf("a batch: %d %s", code, body)
		}
		want := map[string]string{"flat": billing, "wrapped": billing, "plain": "", "first": "", "second": billing}
		check := func(when string) {
			t.Helper()
			for name, ext := range want {
				if got := w.extOf(name); got != ext {
					t.Errorf("%s: the job %s has %s, want %s", when, name, got, ext)
				}
			}
		}
		check("at once")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if got := w.app.requests(); len(got) != 10 || got[0].body != `{"n":1}` {
			t.Errorf("the app got %d triggers, %+v; want ten with the data", len(got), got)
		}
		check("after ten occurrences")
		w.stop()
		w = start(t, disk)
		check("after a restart")

		w.schedule("flat", `{"schedule":"@every 1m","overwrite":true}`)
		w.schedule("wrapped", `{"job":{"dueTime":"48h","overwrite":true,"ext":{"description":"new"}}}`)
		c, ctx := w.client()
		second := &runtimev1.Job{Name: "second", DueTime: new("48h")}
		if _, err := c.ScheduleJob(ctx, &runtimev1.ScheduleJobRequest{Job: second, Overwrite: true}); err != nil {
			t.Fatal(err)
		}
		want["flat"], want["wrapped"], want["second"] = "", `"ext":{"description":"new"}`, ""
		check("after they were replaced")
		w.stop()
	})
}

func TestListedExtIsWhatGetReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem(), func(c *sidecar.Config) { c.DefaultApp = "sub" })
		defer w.stop()
		for i := range 30 {
			ext := ""
			if i%2 == 0 {
				ext = fmt.Sprintf(`,"ext":{"labels":{"n":"%d"}}`, i)
			}
			w.schedule(fmt.Sprintf("job%02d", i), `{"dueTime":"1h"`+ext+`}`)
		}
		page, names := w.list("sub", "pageSize=7")
		for len(names) > 0 {
			for i, name := range names {
				if _, one := w.call("GET", "/v1.0/jobs/"+name, ""); string(page.Jobs[i]) != one || strings.Contains(one, "ext") != (name[4]%2 == 0) {
					t.Errorf("%s is listed as %s, and GET returns %s", name, page.Jobs[i], one)
				}
			}
			if *page.NextPageToken == "" {
				break
			}
			page, names = w.list("sub", "pageSize=7&pageToken="+*page.NextPageToken)
		}
		if last := names[len(names)-1]; last != "job29" {
			t.Errorf("the list ends with %s", last)
		}
	})
}
