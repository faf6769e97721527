package apiserver

import (
	"net/url"
	"testing"
)

func FuzzPaths(f *testing.F) {
	for _, p := range []string{"/v1.0/jobs/a", "/v1.0/jobs/%2e%2e", "/v1.0-alpha1/job/a+b%2F", "//v1.0/jobs/./\xff", "*", ""} {
		f.Add("POST", p)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		to := matchRoute(method, u)
		if to.resource != jobResource || method == "" {
			return
		}
		if name, err := url.QueryUnescape(to.name); err == nil && name == "" {
			t.Errorf("%s %q is about a job without a name", method, path)
		}
	})
}
