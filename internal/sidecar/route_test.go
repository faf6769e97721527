package sidecar_test

import (
	"net/url"
	"strings"
	"testing"

	"carillon/internal/sidecar"
)

func TestPathsAreCleanedAndNamesDecoded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		for path, name := range map[string]string{
			"/v1.0/jobs/a":                           "a",
			"/v1.0-alpha1/jobs/a":                    "a",
			"/v1.0-alpha1/job/a":                     "a",
			"//v1.0///jobs//a":                       "a",
			"/v1.0/jobs/a/":                          "a",
			"/v1.0/jobs/./a":                         "a",
			"/v1.0/x/../jobs/a":                      "a",
			"/v1.0/jobs/%2e%2e":                      "..",
			"/v1.0/jobs/%2E":                         ".",
			"/v1.0/jobs/a+b":                         "a b",
			"/v1.0/jobs/a%20b":                       "a b",
			"/v1.0/jobs/a%2Bb":                       "a+b",
			"/v1.0/jobs/a%2Fb":                       "a/b",
			"/v1.0/jobs/%20x%20":                     "x",
			"/v1.0/jobs/%C2%A0x%0A":                  "x",
			"/v1.0/jobs/a%25b":                       "a%b",
			"/v1.0/jobs/a%2541":                      "a%41",
			"/v1.0/jobs/my%7C%7Cjob@name":            "my||job@name",
			"/v1.0/jobs/my||job@name":                "my||job@name",
			"/v1.0/jobs/%F0%9F%98%80":                "😀",
			"/v1.0/jobs/\xf0\x9f\x98\x80":            "😀",
			"/v1.0/jobs/\xf0\x9f\x98\x80%2Fx":        "😀/x",
			"/v1.0/jobs/a?b=c/d":                     "a",
			"/v1.0/jobs/a;b":                         "a;b",
			"/v1.0/jobs/a%00b":                       "a\x00b",
			"http://elsewhere/v1.0/jobs/a":           "a",
			"/v1.0/jobs/jobs":                        "jobs",
			"/v1.0/jobs/" + strings.Repeat("n", 600): strings.Repeat("n", 600),
		} {
			if got := f.send("POST", path, `{"dueTime":"1s"}`); got.code/100 != 2 {
				t.Errorf("POST %s = %d %s, want success", path, got.code, got.body)
				continue
			}
			if f.scheduler.job("default|sub|"+name) == nil {
				t.Errorf("POST %s made no job %q", path, name)
			}
			f.send("DELETE", "/v1.0/jobs/"+strings.ReplaceAll(url.QueryEscape(name), ".", "%2e"), "")
			if f.scheduler.job("default|sub|"+name) != nil {
				t.Errorf("DELETE left the job %q", name)
			}
		}
	})
}

func TestOnlyPostTrimsName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		if got := f.send("POST", "/v1.0/jobs/%20x%20", `{"dueTime":"1s"}`); got.code != 204 {
			t.Errorf("POST = %d, want 204", got.code)
		}
		if got := f.send("GET", "/v1.0/jobs/x", ""); got.code != 200 {
			t.Errorf("GET of the trimmed name = %d, want 200", got.code)
		}
		if got := f.send("GET", "/v1.0/jobs/%20x%20", ""); got.code != 500 {
			t.Errorf("GET of the name as posted = %d, want 500", got.code)
		}
		f.wantError("GET of a space", f.send("GET", "/v1.0/jobs/%20", ""), 500,
			errorBody("DAPR_SCHEDULER_GET_JOB", "failed to get job due to: rpc error: code = NotFound desc = job not found:  ", both))
		if got := f.send("DELETE", "/v1.0/jobs/%20", ""); got.code != 204 {
			t.Errorf("DELETE of a space = %d, want 204", got.code)
		}
	})
}

func TestNonUTF8NameIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		got := f.send("POST", "/v1.0/jobs/%ff", `{"dueTime":"1s"}`)
		if got.code != 500 || !strings.Contains(got.body, "invalid UTF-8") {
			t.Errorf("POST = %d %s, want 500 and the reason", got.code, got.body)
		}
	})
}

func TestOtherRoutesAreNotFound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		want := errorBody("ERR_DIRECT_INVOKE", "failed getting app id either from the URL path or the header dapr-app-id", nil)
		for _, request := range []string{
			"PUT /v1.0/jobs/a", "PATCH /v1.0/jobs/a", "OPTIONS /v1.0/jobs/a", "OPTIONS *", "get /v1.0/jobs/a",
			"PUT /v1.0/jobs", "POST /v1.0/jobs", "DELETE /v1.0/jobs", "GET /v1.0/jobs/", "GET //v1.0/jobs", "GET /v1.0/./jobs", "GET /v1.0/jobs/a/..", "POST /v1.0/jobs/", "GET /v1.0/jobs/a/b", "GET /v1.0/jobs/..", "GET /v1.0/jobs/.",
			"GET /v1.0/job", "GET /v1.0-alpha2/jobs/a", "GET /v1.0/Jobs/a", "GET /v1%2E0/jobs/a", "GET /jobs/a", "GET /",
			"POST /v1.0/healthz", "GET /v1.0-alpha1/healthz", "GET /v1.0/shutdown", "GET /v1.0/jobs%2Fa",
		} {
			method, path, _ := strings.Cut(request, " ")
			f.wantError(request, f.send(method, path, ""), 404, want)
			f.wantError(request, f.send(method, path, "", "dapr-app-id: sub"), 404, want)
		}
		if got := f.send("HEAD", "/v1.0/jobs/a", ""); got.code != 404 {
			t.Errorf("HEAD = %d, want 404", got.code)
		}
		if got := f.send("GET", "/v1.0/jobs/%zz", ""); got.code != 400 || got.body != "400 Bad Request" ||
			!strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
			t.Errorf("GET with a bad escape = %d %s, want the server's own 400", got.code, got.body)
		}
	})
}
