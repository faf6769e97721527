package app

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
)

func TestHealthReportsFailedChecks(t *testing.T) {
	fine := func() error { return nil }
	stuck := func() error { return errors.New("partition 7 does not turn") }
	full := func() error { return errors.New("the disk is full") }
	for _, c := range []struct {
		name   string
		checks []check
		status int
		body   string
	}{
		{"nothing", []check{fine, fine}, http.StatusOK, ""},
		{"one thing", []check{fine, stuck}, http.StatusServiceUnavailable, "partition 7 does not turn\n"},
		{"two things", []check{full, stuck}, http.StatusServiceUnavailable, "the disk is full\npartition 7 does not turn\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, body := ask(health(c.checks...), http.MethodGet, "/healthz"); status != c.status || body != c.body {
				t.Errorf("%d %q, want %d %q", status, body, c.status, c.body)
			}
		})
	}
}

func TestHealthShowsNotes(t *testing.T) {
	notes := []func() string{func() string { return "" }, func() string { return "3 keys are left aside" }}
	if status, body := ask(healthWith(notes), http.MethodGet, "/healthz"); status != http.StatusOK || body != "3 keys are left aside\n" {
		t.Errorf("healthy: %d %q", status, body)
	}
	stuck := func() error { return errors.New("stuck") }
	if status, body := ask(healthWith(notes, stuck), http.MethodGet, "/healthz"); status != http.StatusServiceUnavailable || body != "stuck\n3 keys are left aside\n" {
		t.Errorf("unhealthy: %d %q", status, body)
	}
}

func TestHealthHasOnePath(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"HEAD", "/healthz", http.StatusOK},
		{"POST", "/healthz", http.StatusMethodNotAllowed},
		{"GET", "/", http.StatusNotFound},
	} {
		if status, _ := ask(health(), c.method, c.path); status != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, status, c.status)
		}
	}
}

// TestNodeIsHealthyOnlyWhileItRuns checks that the node is unhealthy before any other component stops.
func TestNodeIsHealthyOnlyWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ready readiness
		if ready.check() == nil {
			t.Error("healthy before it runs")
		}
		drain := func(ctx context.Context) error {
			<-ctx.Done()
			return ready.check()
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- runComponents(ctx, drain, ready.run) }()
		synctest.Wait()
		if err := ready.check(); err != nil {
			t.Errorf("unhealthy while it runs: %v", err)
		}
		stop()
		if err := <-ended; !errors.Is(err, errNotRunning) {
			t.Errorf("while it stops, its health is %v", err)
		}
	})
}

func ask(h http.Handler, method, path string) (status int, body string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
	return w.Code, w.Body.String()
}
