package management_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	pb "carillon/internal/managementv1"
)

func appNameOf(t job.Target) string {
	if t.Kind == job.Actor {
		return "namespaces/" + t.Namespace + "/actorTypes/" + t.Name
	}
	return "namespaces/" + t.Namespace + "/apps/" + t.Name
}

// listApps returns the names of the apps of all pages of a list.
func listApps(t *testing.T, c pb.ManagementClient, r *pb.ListAppsRequest) (names []string) {
	t.Helper()
	for {
		page, err := c.ListApps(t.Context(), r)
		if err != nil {
			t.Fatalf("%v: %v", r, err)
		}
		if n := int(r.GetPageSize()); n > 0 && len(page.GetApps()) > n {
			t.Fatalf("%v: a page of %d apps", r, len(page.GetApps()))
		}
		for _, a := range page.GetApps() {
			names = append(names, a.GetName())
		}
		if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
			return names
		}
	}
}

// TestAppsAgreeWithModel changes jobs and streams at random, and compares lists with a naive model.
func TestAppsAgreeWithModel(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.app.absent = true
		c := w.client("")
		r := rand.New(rand.NewPCG(9, 10))
		due := map[job.Target]bool{} // targets with jobs: whether one is overdue
		w.streams = map[string]map[job.Target]int{"a": {}, "b": {}}
		randomTarget := func() job.Target {
			return job.Target{
				Kind: job.Kind(1 + r.IntN(2)), Namespace: []string{"n1", "n2", "n3"}[r.IntN(3)],
				Name: fmt.Sprintf("%c%d", 'x'+rune(r.IntN(2)), r.IntN(20)),
			}
		}
		terms := []struct {
			text  string
			holds func(t job.Target, connected, overdue bool) bool
		}{
			{"kind = APP", func(t job.Target, _, _ bool) bool { return t.Kind == job.App }},
			{"kind != APP", func(t job.Target, _, _ bool) bool { return t.Kind != job.App }},
			{"connected = true", func(_ job.Target, c, _ bool) bool { return c }},
			{"connected = false", func(_ job.Target, c, _ bool) bool { return !c }},
			{"overdue = true", func(_ job.Target, _, o bool) bool { return o }},
			{"overdue != true", func(_ job.Target, _, o bool) bool { return !o }},
			{"name = x1*", func(t job.Target, _, _ bool) bool { return strings.HasPrefix(t.Name, "x1") }},
			{"name : 3", func(t job.Target, _, _ bool) bool { return strings.Contains(t.Name, "3") }},
			{"y", func(t job.Target, _, _ bool) bool { return strings.Contains(t.Name, "y") }},
			{"namespace = n2", func(t job.Target, _, _ bool) bool { return t.Namespace == "n2" }},
			{"namespace != n2", func(t job.Target, _, _ bool) bool { return t.Namespace != "n2" }},
		}
		for range 150 {
			some := randomTarget()
			switch r.IntN(3) {
			case 0:
				at := time.Now()
				if due[some] || r.IntN(2) == 0 {
					due[some] = true
				} else {
					at, due[some] = at.Add(1000*time.Hour), false
				}
				w.schedule(job.Key{Target: some, ActorID: map[job.Kind]string{job.Actor: "1"}[some.Kind], Name: "j"}, at)
			case 1:
				w.streams[[]string{"a", "b"}[r.IntN(2)]][some]++
			case 2:
				delete(w.streams["a"], some)
				delete(w.streams["b"], some)
			}
			time.Sleep(time.Second)
			all := maps.Clone(due)
			for _, of := range w.streams {
				for target := range of {
					all[target] = due[target]
				}
			}
			request := &pb.ListAppsRequest{Parent: "namespaces/-", PageSize: int32(r.IntN(8))}
			if r.IntN(3) == 0 {
				request.Parent = "namespaces/" + some.Namespace
			}
			var chosen []string
			for i, term := range terms {
				if r.IntN(8) > 0 {
					continue
				}
				chosen = append(chosen, term.text)
				maps.DeleteFunc(all, func(target job.Target, overdue bool) bool {
					connected := w.streams["a"][target]+w.streams["b"][target] > 0
					return !terms[i].holds(target, connected, overdue)
				})
			}
			request.Filter = strings.Join(chosen, " AND ")
			var want []job.Target
			for target := range all {
				if request.GetParent() == "namespaces/-" || target.Namespace == some.Namespace {
					want = append(want, target)
				}
			}
			slices.SortFunc(want, func(a, b job.Target) int {
				return byKey(modelJob{key: job.Key{Target: a}}, modelJob{key: job.Key{Target: b}})
			})
			var wantNames []string
			for _, target := range want {
				wantNames = append(wantNames, appNameOf(target))
			}
			if got := listApps(t, c, request); !slices.Equal(got, wantNames) {
				t.Fatalf("%v\ngot  %q\nwant %q", request, got, wantNames)
			}
		}
	})
}

func TestAppShowsSidecarsAndOverdueJobs(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.app.absent = true
		target := appKey("ns", "app", "").Target
		w.streams = map[string]map[job.Target]int{"a": {target: 1}, "b": {target: 200}}
		first := time.Now()
		for i := range 30 {
			w.schedule(appKey("ns", "app", fmt.Sprint(i)), first.Add(time.Duration(i)*time.Second))
		}
		time.Sleep(time.Minute)
		c := w.client("")
		a, err := c.GetApp(t.Context(), &pb.GetAppRequest{Name: appNameOf(target)})
		if err != nil {
			t.Fatal(err)
		}
		if !a.GetConnected() || !a.GetHasJobs() || a.GetStreamCount() != 201 || len(a.GetStreams()) != 101 {
			t.Errorf("%d streams, of which %d are named: %v; want 201, of which 1 and 100", a.GetStreamCount(), len(a.GetStreams()), a)
		}
		if s := a.GetStreams()[0]; s.GetNode() != "nodes/a" || s.GetAppId() != "app" || s.GetAddress() != "10.0.0.1:7" {
			t.Errorf("a stream: %v", s)
		}
		if o := a.GetOverdue(); o.GetCount() != 30 || !o.GetExact() || !o.GetOldestDueTime().AsTime().Equal(first) {
			t.Errorf("overdue: %v, want 30 since %v", o, first)
		}
		page, err := c.ListApps(t.Context(), &pb.ListAppsRequest{Parent: "namespaces/ns"})
		if err != nil || len(page.GetApps()) != 1 || len(page.GetApps()[0].GetStreams()) != 11 {
			t.Errorf("a list names 10 streams of each node at most: %v, %v", page, err)
		}

		w.unreachable = []string{"nodes/b"}
		a, err = c.GetApp(t.Context(), &pb.GetAppRequest{Name: appNameOf(target)})
		if err != nil || a.GetStreamCount() != 1 || !slices.Equal(a.GetUnreachable(), w.unreachable) {
			t.Errorf("without node b: %v, %v", a, err)
		}
		w.unreachable = []string{"nodes/a"}
		page, err = c.ListApps(t.Context(), &pb.ListAppsRequest{Parent: "namespaces/ns"})
		if err != nil || len(page.GetApps()) != 1 || page.GetApps()[0].GetOverdue().GetExact() || !slices.Equal(page.GetUnreachable(), w.unreachable) {
			t.Errorf("without the owner of the jobs: %v, %v, want that the count is not exact", page, err)
		}
	})
}

func TestListOfManyOverdueJobsIsAFloor(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.app.absent = true
		for i := range 1500 {
			w.schedule(appKey("ns", "app", fmt.Sprint(i)), time.Now())
		}
		time.Sleep(time.Minute)
		c := w.client("")
		page, err := c.ListApps(t.Context(), &pb.ListAppsRequest{Parent: "namespaces/ns"})
		if o := page.GetApps()[0].GetOverdue(); err != nil || o.GetExact() || o.GetCount() < 1000 || o.GetCount() > 1500 {
			t.Errorf("a list counts %v, %v; want 1000 or more, not exact", o, err)
		}
		a, err := c.GetApp(t.Context(), &pb.GetAppRequest{Name: "namespaces/ns/apps/app"})
		if o := a.GetOverdue(); err != nil || !o.GetExact() || o.GetCount() != 1500 {
			t.Errorf("GetApp counts %v, %v; want all 1500", o, err)
		}
	})
}

func TestAppNamesWorkInURLs(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.streams = map[string]map[job.Target]int{"a": {}}
		for _, name := range []string{"plain", "x:why", ":", "%", "a%2Fb", "a%252Fb", "100%", "a b", "a+b", "..", "-", "ünï", "apps"} {
			w.schedule(appKey("ns", name, "j"), time.Now().Add(time.Hour))
			actor := job.Target{Kind: job.Actor, Namespace: "ns", Name: name}
			w.streams["a"][actor] = 1
			escaped := replaceAll(url.QueryEscape(name), "+", "%20", ".", "%2E")
			for _, collection := range []string{"apps", "actorTypes"} {
				path := "namespaces/ns/" + collection + "/"
				code, body := w.get("/v1/" + path + escaped)
				if code != http.StatusOK || body["name"] != path+name {
					t.Errorf("GET %s%s = %d, %v, want the app %q", path, escaped, code, body, name)
				}
			}
		}
		for path, want := range map[string]int{
			"/v1/namespaces/ns/apps/a%2Fb":              http.StatusBadRequest,
			"/v1/namespaces/ns/apps/a%23b":              http.StatusBadRequest,
			"/v1/namespaces/ns/apps/missing":            http.StatusNotFound,
			"/v1/namespaces/ns/actorTypes/missing":      http.StatusNotFound,
			"/v1/namespaces/ns/apps?pageSize=-1":        http.StatusBadRequest,
			"/v1/namespaces/ns/apps?filter=state=LATE":  http.StatusBadRequest,
			"/v1/namespaces/ns/apps?filter=overdue=yes": http.StatusBadRequest,
			"/v1/namespaces/ns/apps?pageToken=x":        http.StatusBadRequest,
			"/v1/namespaces/none/apps":                  http.StatusOK,
		} {
			if code, body := w.get(path); code != want {
				t.Errorf("GET %s = %d, %v, want %d", path, code, body, want)
			}
		}
	})
}

func TestScopedTokenSeesOnlyItsApps(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.streams = map[string]map[job.Target]int{"a": {}}
		for _, n := range []string{"n1", "n2"} {
			for _, a := range []string{"billing", "mail", "secret"} {
				w.schedule(appKey(n, a, "j"), time.Now().Add(time.Hour))
				w.streams["a"][job.Target{Kind: job.Actor, Namespace: n, Name: a}] = 1
			}
			w.streams["a"][appKey(n, "online", "").Target] = 1
		}
		of := w.client("token-of-some-apps")
		for _, size := range []int32{1, 2, 50} {
			got := listApps(t, of, &pb.ListAppsRequest{Parent: "namespaces/n1", PageSize: size})
			if want := []string{"namespaces/n1/apps/billing", "namespaces/n1/apps/mail", "namespaces/n1/apps/online"}; !slices.Equal(got, want) {
				t.Errorf("pages of %d: %q, want %q", size, got, want)
			}
		}
		if w.asked > 0 {
			t.Error("a list for some apps asked which others are connected")
		}
		for _, parent := range []string{"namespaces/-"} {
			if _, err := of.ListApps(t.Context(), &pb.ListAppsRequest{Parent: parent}); status.Code(err) != codes.PermissionDenied {
				t.Errorf("a list of %s: %v, want PermissionDenied", parent, err)
			}
		}
		for name, want := range map[string]codes.Code{
			"namespaces/n1/apps/billing":        codes.OK,
			"namespaces/n1/apps/gone":           codes.NotFound,
			"namespaces/n1/apps/secret":         codes.PermissionDenied,
			"namespaces/n1/apps/missing":        codes.PermissionDenied,
			"namespaces/n1/actorTypes/billing":  codes.PermissionDenied,
			"namespaces/n1/actorTypes/nonesuch": codes.PermissionDenied,
		} {
			if _, err := of.GetApp(t.Context(), &pb.GetAppRequest{Name: name}); status.Code(err) != want {
				t.Errorf("GetApp of %s: %v, want %v", name, err, want)
			}
		}
		in := w.client("token-of-a-namespace")
		if got := listApps(t, in, &pb.ListAppsRequest{Parent: "namespaces/n2"}); len(got) != 7 || strings.Contains(strings.Join(got, " "), "n1") {
			t.Errorf("the apps of a namespace: %q", got)
		}
		for _, parent := range []string{"namespaces/-", "namespaces/n1"} {
			if _, err := in.ListApps(t.Context(), &pb.ListAppsRequest{Parent: parent}); status.Code(err) != codes.PermissionDenied {
				t.Errorf("a list of %s: %v, want PermissionDenied", parent, err)
			}
		}
	}, "some token-of-some-apps viewer apps=online,mail,billing,gone", "one token-of-a-namespace viewer namespaces=n2")
}
