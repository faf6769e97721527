package management_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	"carillon/internal/management"
	pb "carillon/internal/managementv1"
	"carillon/internal/peerv1"
)

// calls are calls of each method about an app, or a reminder, of a namespace.
func calls(c pb.ManagementClient, namespace, app string) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"GetJob": func(ctx context.Context) error {
			_, err := c.GetJob(ctx, &pb.GetJobRequest{Name: nameOf(appKey(namespace, app, "a"))})
			return err
		},
		"GetJob FULL": func(ctx context.Context) error {
			_, err := c.GetJob(ctx, &pb.GetJobRequest{Name: nameOf(appKey(namespace, app, "a")), View: pb.GetJobRequest_FULL})
			return err
		},
		"ListJobs": func(ctx context.Context) error {
			_, err := c.ListJobs(ctx, &pb.ListJobsRequest{Parent: "namespaces/" + namespace + "/apps/" + app})
			return err
		},
		"CountJobs": func(ctx context.Context) error {
			_, err := c.CountJobs(ctx, &pb.CountJobsRequest{Parent: "namespaces/" + namespace + "/apps/" + app})
			return err
		},
		"ExplainJob": func(ctx context.Context) error {
			_, err := c.ExplainJob(ctx, &pb.ExplainJobRequest{Name: nameOf(appKey(namespace, app, "a"))})
			return err
		},
		"ListUpcomingOccurrences": func(ctx context.Context) error {
			_, err := c.ListUpcomingOccurrences(ctx, &pb.ListUpcomingOccurrencesRequest{Name: nameOf(appKey(namespace, app, "a"))})
			return err
		},
		"ExplainSchedule": func(ctx context.Context) error {
			_, err := c.ExplainSchedule(ctx, &pb.ExplainScheduleRequest{Schedule: new("@daily"), Parent: "namespaces/" + namespace + "/apps/" + app})
			return err
		},
		"GetApp": func(ctx context.Context) error {
			_, err := c.GetApp(ctx, &pb.GetAppRequest{Name: "namespaces/" + namespace + "/apps/" + app})
			return err
		},
		"ListApps": func(ctx context.Context) error {
			page, err := c.ListApps(ctx, &pb.ListAppsRequest{Parent: "namespaces/" + namespace})
			if err == nil && !slices.ContainsFunc(page.GetApps(), func(a *pb.App) bool { return a.GetName() == "namespaces/"+namespace+"/apps/"+app }) {
				return status.Error(codes.PermissionDenied, "the app is not listed")
			}
			return err
		},
		"GetNode": func(ctx context.Context) error {
			_, err := c.GetNode(ctx, &pb.GetNodeRequest{Name: "nodes/a"})
			return err
		},
		"ListNodes": func(ctx context.Context) error {
			_, err := c.ListNodes(ctx, new(pb.ListNodesRequest))
			return err
		},
		"GetForecast": func(ctx context.Context) error {
			_, err := c.GetForecast(ctx, &pb.GetForecastRequest{Parent: "namespaces/" + namespace + "/apps/" + app})
			return err
		},
		"ListBusySchedules": func(ctx context.Context) error {
			_, err := c.ListBusySchedules(ctx, &pb.ListBusySchedulesRequest{Parent: "namespaces/" + namespace + "/apps/" + app})
			return err
		},
		"GetAttention": func(ctx context.Context) error {
			_, err := c.GetAttention(ctx, &pb.GetAttentionRequest{Parent: "namespaces/" + namespace + "/apps/" + app})
			return err
		},
	}
}

// withoutScope are the methods about what all namespaces and apps share: a token with a scope may call none.
func withoutScope() []string { return []string{"GetNode", "ListNodes"} }

// TestMethodsAreForTheirRolesAndScopes walks methods × roles × scopes.
func TestMethodsAreForTheirRolesAndScopes(t *testing.T) {
	get, list := []string{"GetJob", "ExplainJob", "ListUpcomingOccurrences"}, []string{"ListJobs", "CountJobs", "GetForecast", "ListBusySchedules", "GetAttention"}
	full, explain := []string{"GetJob FULL"}, []string{"ExplainSchedule"}
	others := []string{"GetApp", "ListApps", "GetNode", "ListNodes"}
	grants := map[string][]string{ // what each may call
		"viewer":                 slices.Concat(get, list, explain, others),
		"operator":               slices.Concat(get, list, explain, others, full),
		"admin":                  slices.Concat(get, list, explain, others, full),
		"jobs.get":               get,
		"jobs.list":              list,
		"jobs.get,jobs.payload":  slices.Concat(get, full),
		"jobs.payload":           {},
		"jobs.list,jobs.payload": list,
		"schedules.explain":      explain,
		"apps.get":               {"GetApp"},
		"apps.list":              {"ListApps"},
		"nodes.get":              {"GetNode"},
		"nodes.list":             {"ListNodes"},
	}
	scopes := map[string]func(namespace, app string) bool{
		"":                             func(string, string) bool { return true },
		"namespaces=n1":                func(n, _ string) bool { return n == "n1" },
		"namespaces=n1,n2":             func(n, _ string) bool { return n != "n3" },
		"apps=x":                       func(_, a string) bool { return a == "x" },
		"namespaces=n1 apps=x":         func(n, a string) bool { return n == "n1" && a == "x" },
		"namespaces=n1,n3 apps=xy,xyz": func(n, a string) bool { return n != "n2" && a == "xy" },
	}
	type line struct {
		token, grant, scope string
	}
	var all []line
	var file []string
	for grant := range grants {
		for scope := range scopes {
			l := line{fmt.Sprintf("token-of-sixteen-%d", len(all)), grant, scope}
			all = append(all, l)
			file = append(file, fmt.Sprintf("name%d %s %s %s", len(all), l.token, grant, scope))
		}
	}
	methods := map[string]bool{}
	run(t, func(t *testing.T, w *world) {
		w.nodes = []peerv1.NodeReport{{ID: "a"}}
		for _, n := range []string{"n1", "n2", "n3"} {
			for _, a := range []string{"x", "xy"} {
				w.schedule(appKey(n, a, "a"), time.Now().Add(time.Hour))
			}
		}
		for _, l := range all {
			c := w.client(l.token)
			for _, n := range []string{"n1", "n2", "n3"} {
				for _, a := range []string{"x", "xy"} {
					for method, call := range calls(c, n, a) {
						methods[strings.Fields(method)[0]] = true
						want := codes.PermissionDenied
						covered := scopes[l.scope](n, a)
						if slices.Contains(withoutScope(), method) {
							covered = l.scope == ""
						}
						if slices.Contains(grants[l.grant], method) && covered {
							want = codes.OK
						}
						if err := call(t.Context()); status.Code(err) != want {
							t.Errorf("%s of %s/%s by one with %s %s: %v, want %v", method, n, a, l.grant, l.scope, err, want)
						}
					}
				}
			}
		}
	}, file...)
	for _, m := range pb.Management_ServiceDesc.Methods {
		if !methods[m.MethodName] {
			t.Errorf("no call of %s was made: add it to calls", m.MethodName)
		}
	}
}

func TestCallWithoutKnownTokenIsRefused(t *testing.T) {
	const token = "a-token-of-somebody"
	run(t, func(t *testing.T, w *world) {
		for _, wrong := range []string{"", "x", token + "x", strings.ToUpper(token)} {
			for method, call := range calls(w.client(wrong), "ns", "app") {
				if err := call(t.Context()); status.Code(err) != codes.Unauthenticated {
					t.Errorf("%s with the token %q: %v, want Unauthenticated", method, wrong, err)
				}
			}
			if code, _ := w.get("/v1/namespaces/ns/jobs", "Authorization", "Bearer "+wrong); code != http.StatusUnauthorized {
				t.Errorf("GET with the token %q: %d, want 401", wrong, code)
			}
		}
		if code, body := w.get("/v1/namespaces/ns/jobs", "Authorization", "Bearer "+token); code != http.StatusOK {
			t.Errorf("GET with the token: %d, %v, want 200", code, body)
		}
		if strings.Contains(w.log.String(), token) {
			t.Error("the token is in the log")
		}
	}, "somebody "+token+" viewer")
}

func TestNamespacesNeverSeeEachOthersJobs(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		for _, n := range []string{"red", "redder", "blue"} {
			for i := range 30 {
				w.schedule(appKey(n, "app", fmt.Sprintf("%s-%d", n, i)), time.Now())
				w.schedule(reminderKey(n, "1", fmt.Sprintf("%s-%d", n, i)), time.Now().Add(time.Hour))
			}
		}
		c := w.client("token-of-the-red-ones")
		for _, parent := range []string{
			"namespaces/-", "namespaces/blue", "namespaces/redder", "namespaces/-/apps/app", "namespaces/blue/apps/app", "namespaces/-/actorTypes/-/actors/-",
		} {
			page, err := c.ListJobs(t.Context(), &pb.ListJobsRequest{Parent: parent})
			if status.Code(err) != codes.PermissionDenied {
				t.Errorf("%s: %v, %v, want PermissionDenied", parent, page, err)
			}
			if _, err := c.CountJobs(t.Context(), &pb.CountJobsRequest{Parent: parent}); status.Code(err) != codes.PermissionDenied {
				t.Errorf("count %s: %v, want PermissionDenied", parent, err)
			}
		}
		for _, parent := range []string{"namespaces/red", "namespaces/red/apps/-", "namespaces/red/actorTypes/-/actors/-"} {
			for _, filter := range []string{"", "namespace = blue", "state = OVERDUE", "name : e"} {
				r := &pb.ListJobsRequest{Parent: parent, Filter: filter, PageSize: 7}
				for {
					page, err := c.ListJobs(t.Context(), r)
					if err != nil {
						t.Fatal(err)
					}
					if text := page.String(); strings.Contains(text, "blue") || strings.Contains(text, "redder") {
						t.Errorf("%v: %s", r, text)
					}
					if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
						break
					}
				}
			}
		}
		for _, k := range []job.Key{appKey("blue", "app", "blue-1"), appKey("blue", "app", "missing"), reminderKey("redder", "1", "redder-1")} {
			if _, err := c.GetJob(t.Context(), &pb.GetJobRequest{Name: nameOf(k)}); status.Code(err) != codes.PermissionDenied {
				t.Errorf("GetJob of %v: %v, want PermissionDenied", k, err)
			}
		}
		if _, err := c.GetJob(t.Context(), &pb.GetJobRequest{Name: nameOf(appKey("red", "app", "missing"))}); status.Code(err) != codes.NotFound {
			t.Errorf("GetJob of a job of the namespace that does not exist: %v, want NotFound", err)
		}
	}, "red token-of-the-red-ones admin namespaces=red")
}

func TestViewerNeverSeesAPayload(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.app.answer, w.app.after = job.Failed, time.Minute
		keys := []job.Key{appKey("ns", "app", "a"), appKey("ns", "app", "b"), reminderKey("ns", "1", "c")}
		for i, k := range keys {
			w.schedule(k, time.Now().Add(time.Duration(i)*time.Hour))
		}
		time.Sleep(time.Second)
		c := w.client("token-of-the-viewer")
		for _, k := range keys {
			for view := range pb.GetJobRequest_View_name {
				j, err := c.GetJob(t.Context(), &pb.GetJobRequest{Name: nameOf(k), View: pb.GetJobRequest_View(view)})
				if strings.Contains(j.String(), "secret") || j.GetSpec().GetPayload() != nil || err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("GetJob of %v with view %d = %v, %v", k, view, j, err)
				}
				code, body := w.get(fmt.Sprintf("/v1/%s?view=%d", nameOf(k), view), "Authorization", "Bearer token-of-the-viewer")
				if text := fmt.Sprint(body); strings.Contains(text, "secret") || strings.Contains(text, "c2VjcmV0") {
					t.Errorf("GET of %v with view %d = %d, %s", k, view, code, text)
				}
			}
		}
		_, body := w.get("/v1/namespaces/-/jobs", "Authorization", "Bearer token-of-the-viewer")
		if text := fmt.Sprint(body); strings.Contains(text, "secret") || strings.Contains(text, "c2VjcmV0") || !strings.Contains(text, "payloadBytes") {
			t.Errorf("the list shows %s", text)
		}
	}, "viewer token-of-the-viewer viewer")
}

func TestTokenFileIsReloaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(text string, at int64) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Unix(at, 0), time.Unix(at, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		"":                                       "no token",
		"a token-of-sixteen-chars":               "2 fields",
		"a short viewer":                         "5 characters",
		"a token-of-sixteen-chars x":             `"x" is neither`,
		"a token-of-sixteen-chars viewer team=x": `"team" is not known`,
		"a token-of-sixteen-chars viewer apps=":  "no value",
		"a sha256:12 viewer":                     "64 hexadecimal",
		"a token-of-sixteen-chars viewer\n# b\nb token-of-sixteen-chars admin":          "line 3 has the token of a",
		"a token-of-sixteen-chars viewer\nb token-of-sixteen-charz admin apps=a apps=b": "given twice",
	} {
		write(text, 1)
		if _, err := management.OpenTokens(path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "token-of-sixteen") {
			t.Errorf("%q: %v, want an error with %q and no token", text, err, want)
		}
	}
	write("a token-of-sixteen-chars viewer", 1)
	run(t, func(t *testing.T, w *world) {
		code := func(token string) int {
			c, _ := w.get("/v1/namespaces/ns/jobs", "Authorization", "Bearer "+token)
			return c
		}
		path = w.tokens
		if c := code("token-of-sixteen-chars"); c != http.StatusOK {
			t.Errorf("the first token: %d, want 200", c)
		}
		time.Sleep(2 * time.Second)
		write("b sha256:"+sha("another-of-sixteen-chars")+" viewer", 2)
		if a, b := code("token-of-sixteen-chars"), code("another-of-sixteen-chars"); a != http.StatusUnauthorized || b != http.StatusOK {
			t.Errorf("after a change: %d and %d, want 401 and 200", a, b)
		}
		time.Sleep(2 * time.Second)
		write("nonsense", 3)
		if c := code("another-of-sixteen-chars"); c != http.StatusOK || !strings.Contains(w.log.String(), "the last one stays in force") {
			t.Errorf("with a file that cannot be used: %d, want 200, and a line in the log", c)
		}
	}, "a token-of-sixteen-chars viewer")
}

// sha returns the hash of a token as a file has it.
func sha(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}
