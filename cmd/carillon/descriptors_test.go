package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// descriptorsEnv is the environment variable with the limit of open file descriptors of carillon in a test.
const descriptorsEnv = "CARILLON_TEST_DESCRIPTORS"

// limitDescriptors sets the limit in descriptorsEnv, if there is one.
func limitDescriptors() {
	text, ok := os.LookupEnv(descriptorsEnv)
	if !ok {
		return
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n})
	}
	if err != nil {
		panic(err)
	}
}

// slowApp is an app that handles each trigger for a second, and then sends the name of its job.
func slowApp(t *testing.T) (address string, taken chan string) {
	t.Helper()
	taken = make(chan string, 10_000)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second) // so that calls of a real process are open together
		taken <- strings.TrimPrefix(r.URL.Path, "/job/")
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), taken
}

// wantTaken checks that the app receives each of the jobs 0, 1, 2, … once.
func wantTaken(t *testing.T, jobs int, taken <-chan string) {
	t.Helper()
	seen := map[string]bool{}
	deadline := time.After(time.Minute)
	for len(seen) < jobs {
		select {
		case name := <-taken:
			if seen[name] {
				t.Errorf("job %s came twice", name)
			}
			seen[name] = true
		case <-deadline:
			t.Fatalf("the app took %d of %d jobs", len(seen), jobs)
		}
	}
}

const dropped = `"dueTime": "2s", "failurePolicy": {"drop": {}}` // when it fails

func TestSlowAppLosesNothingWithFewDescriptors(t *testing.T) {
	const jobs = 300
	limited := descriptorsEnv + "=256"
	t.Run("sidecar", func(t *testing.T) {
		d := startScheduler(t, "--etcd-data-dir", t.TempDir())
		address, taken := slowApp(t)
		s := startSidecar(t, []string{limited}, "--app-port", portOf(t, address), "--scheduler-host-address", d.address["scheduler"])
		s.health(t, http.StatusNoContent, "")
		for i := range jobs {
			if status, body := s.ask(t, http.MethodPost, fmt.Sprint("/v1.0-alpha1/jobs/", i), "{"+dropped+"}"); status != http.StatusNoContent {
				t.Fatalf("schedule: %d %s", status, body)
			}
		}
		wantTaken(t, jobs, taken)
		if want := `msg="file descriptors"`; !strings.Contains(s.said.String(), want) || !strings.Contains(s.said.String(), "limit=256 app_connections=128") {
			t.Errorf("the log does not say that there are 256 file descriptors, and 128 connections to apps")
		}
	})
	t.Run("dev", func(t *testing.T) {
		t.Setenv(descriptorsEnv, "256")
		address, taken := slowApp(t)
		n := startNode(t, "--data-dir", t.TempDir(), "--app=sub=http://"+address)
		for i := range jobs {
			if err := n.schedule(t, strconv.Itoa(i), `{"job": {`+dropped+`}}`); err != nil {
				t.Fatal(err)
			}
		}
		wantTaken(t, jobs, taken)
	})
}

// TestIdleClientsDelayNoTrigger opens more idle connections than there are descriptors while triggers arrive.
func TestIdleClientsDelayNoTrigger(t *testing.T) {
	const jobs = 20
	d := startScheduler(t, "--etcd-data-dir", t.TempDir())
	address, taken := slowApp(t)
	s := startSidecar(t, []string{descriptorsEnv + "=64"}, "--app-port", portOf(t, address), "--scheduler-host-address", d.address["scheduler"])
	s.health(t, http.StatusNoContent, "")
	for i := range jobs {
		if status, body := s.ask(t, http.MethodPost, fmt.Sprint("/v1.0-alpha1/jobs/", i), "{"+dropped+"}"); status != http.StatusNoContent {
			t.Fatalf("schedule: %d %s", status, body)
		}
	}
	var clients []net.Conn
	defer func() {
		for _, conn := range clients {
			conn.Close()
		}
	}()
	for range 100 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address["http"][0])
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, conn)
	}
	wantTaken(t, jobs, taken)
	if strings.Contains(s.said.String(), "did not handle") {
		t.Error("a trigger that could not be sent counts as a failure of the app")
	}
}
