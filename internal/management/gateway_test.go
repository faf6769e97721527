package management_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/internal/managementv1"
)

func TestJobNamesWorkInURLs(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		for _, name := range []string{
			"plain", "x:count", "x:pause", ":count", ":", "%", "a%2Fb", "a%252Fb", "100%", "a b", "a+b", "..", ".", "-", "ünï 🙂", "a&b=c", "my||job@name", "~", "jobs",
		} {
			w.schedule(appKey("ns", "app", name), time.Now().Add(time.Hour))
			w.schedule(reminderKey("ns", "actor", name), time.Now().Add(time.Hour))
			for prefix, part := range map[string]string{
				"namespaces/ns/apps/app/jobs/": name, "namespaces/ns/actorTypes/type/actors/actor/reminders/": name,
			} {
				escaped := url.QueryEscape(part)
				escaped = replaceAll(escaped, "+", "%20", ".", "%2E")
				code, body := w.get("/v1/" + prefix + escaped)
				if code != http.StatusOK || body["name"] != prefix+name {
					t.Errorf("GET %s%s = %d, %v, want the job %q", prefix, escaped, code, body["name"], name)
				}
			}
		}
		for path, want := range map[string]int{
			"/v1/namespaces/ns/apps/app/jobs/a%2Fb":   http.StatusBadRequest,
			"/v1/namespaces/ns/apps/app/jobs/a%2fb":   http.StatusBadRequest,
			"/v1/namespaces/ns/apps/app%2Fjobs%2Fa":   http.StatusBadRequest,
			"/v1/namespaces/ns/apps/app/jobs/a%23b":   http.StatusBadRequest,
			"/v1/namespaces/ns/apps/app/jobs/missing": http.StatusNotFound,
			"/v1/namespaces/ns/apps/app/jobs:count":   http.StatusOK,
			"/v1/namespaces/ns/apps/app/jobs/":        http.StatusBadRequest,
			"/v1/namespaces/ns/apps/app":              http.StatusOK,
			"/v1/namespaces/ns":                       http.StatusNotFound,
			"/v1":                                     http.StatusNotFound,
			"/":                                       http.StatusNotFound,
		} {
			if code, body := w.get(path); code != want {
				t.Errorf("GET %s = %d, %v, want %d", path, code, body, want)
			}
		}
	})
}

func replaceAll(s string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		s = strings.ReplaceAll(s, pairs[i], pairs[i+1])
	}
	return s
}

func TestUnknownFieldOfQueryIsRefused(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		for query, field := range map[string]string{
			"pagesize=3": "pagesize", "page.size=3": "page.size", "pageSize=x": "pageSize", "pageSize=1&pageSize=2": "pageSize",
			"pageSize=99999999999": "pageSize", "x": "x",
		} {
			code, body := w.get("/v1/namespaces/ns/jobs?" + query)
			if named := fieldOfJSON(body); code != http.StatusBadRequest || named != field {
				t.Errorf("?%s = %d, %v, want 400 that names %s", query, code, body, field)
			}
		}
		if code, _ := w.get("/v1/namespaces/ns/jobs?page_size=3&pageToken="); code != http.StatusOK {
			t.Errorf("names of fields as in the definition: %d, want 200", code)
		}
	})
}

func TestUnknownFieldOfBodyIsRefused(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		for content, field := range map[string]string{
			`{"shedule": "@daily"}`: "shedule", `{"schedule": "@daily", "repeats": "x"}`: "repeats", `{"schedule": 5}`: "schedule",
			`{"schedule": "@daily", "schedule": "@daily"}`: "schedule", `{"schedule": "@daily", "fromTime": "noon"}`: "body", `{"schedule"`: "body", `@daily`: "body",
			`{"schedule": "` + strings.Repeat("x", 65<<10) + `"}`: "body", ``: "schedule",
		} {
			code, body := w.request(http.MethodPost, "/v1/schedules:explain", content)
			if named := fieldOfJSON(body); code != http.StatusBadRequest || named != field {
				t.Errorf("%.60s = %d, %v, want 400 that names %s", content, code, body, field)
			}
		}
	})
}

// fieldOfJSON returns the field that an error names.
func fieldOfJSON(body map[string]any) (named string) {
	details, _ := body["details"].([]any)
	for _, d := range details {
		if v, ok := d.(map[string]any)["fieldViolations"].([]any); ok {
			named, _ = v[0].(map[string]any)["field"].(string)
		}
	}
	return named
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch} {
			if code, body := w.request(method, "/v1/namespaces/ns/jobs", ""); code != http.StatusMethodNotAllowed {
				t.Errorf("%s = %d, %v, want 405", method, code, body)
			}
		}
	})
}

func TestOpenAPIDocumentIsServed(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		code, body := w.get("/openapi.json")
		paths, _ := body["paths"].(map[string]any)
		if code != http.StatusOK || paths["/v1/namespaces/{namespace}/apps/{app}/jobs/{job}"] == nil || len(managementv1.OpenAPI) == 0 {
			t.Errorf("GET /openapi.json = %d, with the paths %v", code, paths)
		}
	})
}

func TestWebPagesOfOtherSitesAreRefused(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		for _, header := range [][]string{
			{"Host", "evil.example", "Origin", "http://evil.example"},
			{"Host", "rebound.example", "Origin", "http://rebound.example"},
		} {
			if code, body := w.get("/v1/namespaces/ns/jobs", header...); code != http.StatusForbidden {
				t.Errorf("%v: %d, %v, want 403", header, code, body)
			}
		}
	})
}
