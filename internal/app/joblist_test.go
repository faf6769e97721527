package app_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/sidecar"
)

// A jobPage is a response of GET /v1.0/jobs.
type jobPage struct {
	Jobs          []json.RawMessage
	NextPageToken *string
}

// list asks for a page of an app's jobs, and returns it with the names of its jobs.
func (w *world) list(app, query string) (page jobPage, names []string) {
	w.t.Helper()
	code, body := w.call("GET", "/v1.0/jobs?"+query, "", [2]string{"dapr-app-id", app})
	if err := json.Unmarshal([]byte(body), &page); code != http.StatusOK || err != nil || page.NextPageToken == nil || page.Jobs == nil {
		w.t.Fatalf("list with %s: %d %s, %v", query, code, body, err)
	}
	for _, j := range page.Jobs {
		var job struct{ Name string }
		if err := json.Unmarshal(j, &job); err != nil {
			w.t.Fatal(err)
		}
		names = append(names, job.Name)
	}
	return page, names
}

func TestPagesHaveEachLastingJobOnce(t *testing.T) {
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, vfs.NewMem())
			defer w.stop()
			r := rand.New(rand.NewPCG(seed, 1))
			change := func(method, app, name string) {
				body := `{"dueTime":"1h","overwrite":true}`
				if code, answer := w.call(method, "/v1.0/jobs/"+url.PathEscape(name), body, [2]string{"dapr-app-id", app}); code != http.StatusAccepted {
					t.Fatalf("%s %s of %s: %d %s", method, name, app, code, answer)
				}
			}
			name := func() string {
				var b strings.Builder
				for range 1 + r.IntN(3) {
					b.WriteString([]string{"a", "b", "é", "|", "x%", "~"}[r.IntN(6)])
				}
				return b.String()
			}
			lasting := map[string]bool{} // false: it was there at some time
			for range 40 {
				n := name()
				lasting[n] = true
				change("POST", "sub", n)
				change("POST", "other", "other"+n)
			}
			for _, prefix := range []string{"", "a", "é|"} {
				seen, token := []string(nil), ""
				for {
					query := url.Values{"pageSize": {fmt.Sprint(1 + r.IntN(7))}, "namePrefix": {prefix}}
					if token != "" {
						query.Set("pageToken", token)
					}
					page, names := w.list("sub", query.Encode())
					seen = append(seen, names...)
					if token = *page.NextPageToken; token == "" {
						break
					}
					for range r.IntN(4) {
						n := name()
						if _, known := lasting[n]; known && r.IntN(2) == 0 {
							lasting[n] = false
							change("DELETE", "sub", n)
						} else if !known {
							lasting[n] = false
							change("POST", "sub", n)
						} else {
							change("POST", "sub", n) // replaces it, or brings it back
						}
					}
				}
				if !slices.IsSorted(seen) || len(slices.Compact(slices.Clone(seen))) != len(seen) {
					t.Errorf("seed %d: the list with the prefix %q is not in order, or has a job twice: %q", seed, prefix, seen)
				}
				for n, lasts := range lasting {
					if lasts && strings.HasPrefix(n, prefix) && !slices.Contains(seen, n) {
						t.Errorf("seed %d: the list with the prefix %q lacks %q: %q", seed, prefix, n, seen)
					}
				}
				for _, n := range seen {
					if _, known := lasting[n]; !known || !strings.HasPrefix(n, prefix) {
						t.Errorf("seed %d: the list with the prefix %q has %q", seed, prefix, n)
					}
				}
			}
		})
	}
}

func TestListedJobIsWhatGetReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem(), func(c *sidecar.Config) { c.DefaultApp = "sub" })
		defer w.stop()
		w.schedule("a", `{"dueTime":"1h","data":{"z":1.0,"a":12345678901234567890}}`)
		w.schedule("b", `{"schedule":"@daily","repeats":3,"ttl":"48h","failurePolicy":{"drop":{}}}`)
		c, ctx := w.client()
		broken := &runtimev1.Job{Name: "broken", DueTime: new("1h"), Data: &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.Value", Value: []byte{255}}}
		if _, err := c.ScheduleJob(ctx, &runtimev1.ScheduleJobRequest{Job: broken}); err != nil {
			t.Fatal(err)
		}
		for _, app := range []string{"", "sub"} { // today's dialect and the published one
			page, names := w.list(app, "")
			if want := []string{"a", "b", "broken"}; !slices.Equal(names, want) || *page.NextPageToken != "" {
				t.Fatalf("%q: the list has %q, and then %q; want %q alone", app, names, *page.NextPageToken, want)
			}
			for i, name := range names {
				_, one := w.call("GET", "/v1.0/jobs/"+name, "", [2]string{"dapr-app-id", app})
				if name == "broken" {
					one = `{"name":"broken","status":500,"error":` + one + `}`
				}
				if string(page.Jobs[i]) != one {
					t.Errorf("%q: %s is listed as %s, and GET returns %s", app, name, page.Jobs[i], one)
				}
			}
		}
		if _, names := w.list("nobody", ""); len(names) != 0 {
			t.Errorf("an app without jobs has %q", names)
		}
	})
}

func TestListIsBoundedBySizeAndBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		for i := range 120 {
			w.schedule(fmt.Sprintf("small%03d", i), `{"dueTime":"1h"}`)
		}
		large := `{"dueTime":"1h","data":"` + strings.Repeat("x", 700_000) + `"}`
		for i := range 5 {
			w.schedule(fmt.Sprintf("large%d", i), large)
		}
		if _, names := w.list("sub", "namePrefix=small"); len(names) != 100 {
			t.Errorf("a page has %d jobs by default, want 100", len(names))
		}
		if page, names := w.list("sub", "pageSize=1000"); len(names) != 2 || *page.NextPageToken == "" {
			t.Errorf("a page of jobs of 700 kB has %d, want 2, which are more than 1 MiB", len(names))
		}
		if page, names := w.list("sub", "namePrefix=small&pageSize=120"); len(names) != 120 || *page.NextPageToken != "" {
			t.Errorf("a page of 120 has %d jobs, and is followed by %q", len(names), *page.NextPageToken)
		}
	})
}

func TestGetSaysWhenJobIsDueNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		began := time.Now()
		time.Sleep(123 * time.Nanosecond)
		w.schedule("a", `{"schedule":"@every 10m","dueTime":"1h"}`)
		c, ctx := w.client()
		want := func(due string) {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:3500/v1.0/jobs/a", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("dapr-app-id", "sub")
			code, header, body := w.do(req)
			if code != http.StatusAccepted || !strings.HasPrefix(body, `{"name":"a","schedule":"@every 10m","dueTime":"1h","failurePolicy":`) || header.Get("Carillon-Next-Due") != due {
				t.Errorf("GET: %d %s, due at %q; want %q", code, body, header.Get("Carillon-Next-Due"), due)
			}
			var md metadata.MD
			if _, err := c.GetJob(ctx, &runtimev1.GetJobRequest{Name: "a"}, grpc.Header(&md)); err != nil || !slices.Equal(md.Get("carillon-next-due"), []string{due}) {
				t.Errorf("over gRPC: %v, %v; want %q", md, err, due)
			}
		}
		want(began.Add(time.Hour + 123).UTC().Format(time.RFC3339Nano))
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := w.app.requests(); len(got) != 1 {
			t.Fatalf("the app got %d triggers, want one", len(got))
		}
		want(began.Add(70*time.Minute + 123).UTC().Format(time.RFC3339Nano))
	})
}
