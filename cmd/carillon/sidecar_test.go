package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/exit"
)

// carilloned is a running `carillon sidecar`.
type carilloned struct {
	*node
	address map[string][]string // by their names in the log
}

// startSidecar starts a sidecar of the app sub on free loopback ports, with env as its whole environment.
func startSidecar(t *testing.T, env []string, args ...string) *carilloned {
	t.Helper()
	return launchSidecar(t, env, "msg=listening", args...)
}

// launchSidecar is startSidecar, but waits for a log line with this text and takes the addresses from it.
func launchSidecar(t *testing.T, env []string, text string, args ...string) *carilloned {
	t.Helper()
	args = append([]string{
		"sidecar", "--app-id=sub", "--dapr-http-port=0", "--dapr-grpc-port=0", "--metrics-port=0",
		"--metrics-listen-address=127.0.0.1",
	}, args...)
	if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--dapr-listen-addresses") }) {
		args = append(args, "--dapr-listen-addresses=127.0.0.1")
	}
	cmd := self(t, args...)
	name, value := noRest()
	cmd.Env = append(env, "CARILLON_TEST_MAIN=1", name+"="+value)
	s := &carilloned{address: map[string][]string{}}
	s.node = launch(t, cmd, func(line string) bool {
		if !strings.Contains(line, text) {
			return false
		}
		for _, m := range regexp.MustCompile(`(\w+)=(\S+)`).FindAllStringSubmatch(line, -1) {
			s.address[m[1]] = strings.Split(m[2], ",")
		}
		return true
	})
	return s
}

// ask makes a request to an address with a client, by default over TCP, and returns the response.
func ask(t *testing.T, client *http.Client, method, address, path, body string) (status int, answer string) {
	t.Helper()
	status, answer, err := tryAsking(t, client, method, address, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

// tryAsking is ask for a port that may be closed.
func tryAsking(t *testing.T, client *http.Client, method, address, path, body string) (status int, answer string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func (s *carilloned) ask(t *testing.T, method, path, body string) (status int, answer string) {
	t.Helper()
	return ask(t, http.DefaultClient, method, s.address["http"][0], path, body)
}

// health waits until the health has this status and body. The port is closed until there is a certificate.
func (s *carilloned) health(t *testing.T, want int, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		status, body, err := tryAsking(t, http.DefaultClient, http.MethodGet, s.address["http"][0], "/v1.0/healthz", "")
		switch {
		case err == nil && status == want && strings.Contains(body, text):
			return
		case time.Now().After(deadline):
			t.Fatalf("health is %d %s, %v; want %d %s", status, body, err, want, text)
		}
	}
}

// stop sends a signal and checks that the sidecar stops gracefully, without waiting for clients.
func (s *carilloned) stop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	begin := time.Now()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	if err := s.wait(); err != nil {
		t.Errorf("it ended with %v, want exit code 0", err)
	}
	if took := time.Since(begin); took > atOnce {
		t.Errorf("stopping took %v", took)
	}
	for _, want := range []string{"Received signal '" + sig.String() + "'; beginning shutdown", "Daprd shutdown gracefully"} {
		if !strings.Contains(s.said.String(), want) {
			t.Errorf("it does not say %q", want)
		}
	}
}

// portedApp starts an app with the handler h, and returns the flags with its address.
func portedApp(t *testing.T, h http.HandlerFunc) (flags []string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return []string{"--app-port", portOf(t, server.Listener.Addr().String())}
}

// TestJobReachesApp runs three processes. The sidecar's environment has only a namespace.
func TestJobReachesApp(t *testing.T) {
	t.Parallel()
	d := startScheduler(t, "--etcd-data-dir", t.TempDir())
	got := make(chan string, 1)
	app := portedApp(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Method + " " + r.URL.Path + " " + string(body)
	})
	s := startSidecar(t, []string{"NAMESPACE=elsewhere"}, append(app, "--scheduler-host-address", d.address["scheduler"])...)
	s.health(t, http.StatusNoContent, "")
	for name, due := range map[string]string{"later": "1h", "now": "0s"} {
		status, body := s.ask(t, http.MethodPost, "/v1.0-alpha1/jobs/"+name, `{"dueTime": "`+due+`", "data": {"order": 7}}`)
		if status != http.StatusNoContent {
			t.Fatalf("schedule: %d %s", status, body)
		}
	}
	select {
	case trigger := <-got:
		if want := `POST /job/now {"order":7}`; trigger != want {
			t.Errorf("the app received %s, want %s", trigger, want)
		}
	case <-time.After(patience):
		t.Fatal("the app received nothing")
	}
	there := &schedulerv1.GetJobRequest{Name: "later", Metadata: &schedulerv1.JobMetadata{
		AppId: "sub", Namespace: "elsewhere",
		Target: &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)}},
	}}
	if _, err := d.GetJob(t.Context(), there); err != nil {
		t.Errorf("the scheduler has the job in no namespace elsewhere: %v", err)
	}
	if status, body := ask(t, http.DefaultClient, http.MethodGet, s.address["metrics"][0], "/", ""); status != http.StatusOK ||
		!strings.Contains(body, "\ngo_goroutines ") {
		t.Errorf("metrics: %d %.200s", status, body)
	}
	s.stop(t, syscall.SIGTERM)
	if regexp.MustCompile("level=(warning|error|fatal)").MatchString(s.said.String()) {
		t.Error("a clean life is no reason for warnings")
	}
}

func TestSignalStopsSidecar(t *testing.T) {
	d := startScheduler(t, "--etcd-data-dir", t.TempDir())
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			called, over := make(chan string, 10), make(chan bool)
			app := portedApp(t, func(_ http.ResponseWriter, r *http.Request) {
				called <- r.URL.Path
				<-over
			})
			t.Cleanup(func() { close(over) })
			s := startSidecar(t, nil, append(app, "--scheduler-host-address", d.address["scheduler"])...)
			s.health(t, http.StatusNoContent, "")
			if status, body := s.ask(t, http.MethodPost, "/v1.0-alpha1/jobs/stuck", `{"dueTime": "0s", "overwrite": true}`); status != http.StatusNoContent {
				t.Fatalf("schedule: %d %s", status, body)
			}
			select {
			case <-called:
			case <-time.After(patience):
				t.Fatal("the app was not called")
			}
			s.stop(t, sig)
		})
	}
}

// TestSecondSignalEndsSidecarAtOnce delays the shutdown with a request in progress and with
// --dapr-block-shutdown-duration.
func TestSecondSignalEndsSidecarAtOnce(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, nil, "--dapr-block-shutdown-duration=1m")
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", s.address["http"][0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /v1.0-alpha1/jobs/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil { // it waits for the body
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); !strings.Contains(s.said.String(), "beginning shutdown"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not say that it has begun to stop")
		}
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.wait(); exitCode(err) != exit.Failed {
		t.Errorf("it ended with %v, want exit code %d", err, exit.Failed)
	}
}

func TestHangupDoesNotStopSidecar(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, nil)
	for range 3 {
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.health(t, http.StatusNoContent, "")
	}
	s.stop(t, syscall.SIGTERM)
}

func TestSidecarWithoutSchedulerSaysSo(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, nil)
	s.health(t, http.StatusNoContent, "")
	status, body := s.ask(t, http.MethodPost, "/v1.0-alpha1/jobs/a", `{"dueTime": "1h"}`)
	if status != http.StatusInternalServerError || !strings.Contains(body, "scheduler clients are disabled") {
		t.Errorf("schedule: %d %s", status, body)
	}
	s.stop(t, syscall.SIGINT)
	if !strings.Contains(s.said.String(), "No scheduler host addresses provided. Scheduler disabled") {
		t.Error("the log does not say that there is no scheduler")
	}
}

func TestSidecarIsUnhealthyWithoutItsScheduler(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close() // another process is unlikely to take the port
	s := startSidecar(t, nil, "--scheduler-host-address", address)
	s.health(t, http.StatusInternalServerError, "dapr is not ready: [scheduler-watch-hosts]")
	if status, body := s.ask(t, http.MethodGet, "/v1.0/healthz/outbound", ""); status != http.StatusNoContent {
		t.Errorf("outbound health without the scheduler: %d %s", status, body)
	}
	startScheduler(t, "--etcd-data-dir", t.TempDir(), "--port="+portOf(t, address))
	s.health(t, http.StatusNoContent, "")
}

func TestEmptyNamespaceIsLogged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  []string
		warn bool
	}{{[]string{"NAMESPACE="}, true}, {[]string{"NAMESPACE=a"}, false}, {nil, false}} {
		s := startSidecar(t, c.env, "--scheduler-host-address=127.0.0.1:9")
		if got := strings.Contains(s.said.String(), "NAMESPACE is empty"); got != c.warn {
			t.Errorf("with the environment %q it warns: %v, want %v", c.env, got, c.warn)
		}
	}
}

func TestSidecarListensOnEachAddress(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, nil, "--dapr-listen-addresses=127.0.0.1,localhost", "--dapr-public-port=0", "--dapr-public-listen-address=127.0.0.1")
	if len(s.address["http"]) != 2 || len(s.address["grpc"]) != 2 || len(s.address["public"]) != 1 {
		t.Fatalf("it listens on %v", s.address)
	}
	for _, address := range s.address["http"] {
		if status, body := ask(t, http.DefaultClient, http.MethodGet, address, "/v1.0/healthz/outbound", ""); status != http.StatusNoContent {
			t.Errorf("at %s: %d %s", address, status, body)
		}
	}
	for _, address := range append(s.address["grpc"], s.address["public"]...) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			continue
		}
		conn.Close()
	}
}

// TestSidecarRemovesItsSockets starts a sidecar on the sockets of a killed one.
func TestSidecarRemovesItsSockets(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "") //nolint:usetesting // t.TempDir's path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "dapr-sub-http.socket")
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}
	for _, end := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		s := startSidecar(t, nil, "--unix-domain-socket", dir)
		if want := []string{socket}; !slices.Equal(s.address["http"], want) {
			t.Errorf("it serves HTTP on %v, want %v alone", s.address["http"], want)
		}
		if status, body := ask(t, client, http.MethodGet, "sidecar", "/v1.0/healthz/outbound", ""); status != http.StatusNoContent {
			t.Errorf("over its socket: %d %s", status, body)
		}
		out, err := self(t, "sidecar", "--app-id=sub", "--unix-domain-socket", dir).Output()
		if exitCode(err) != exit.Failed || !strings.Contains(string(out), "another process listens on "+socket) {
			t.Errorf("a second sidecar ended with %v: %s", err, out)
		}
		if end != syscall.SIGKILL {
			s.stop(t, end)
			break
		}
		if err := s.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = s.wait()
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("what is left: %v, %v", left, err)
	}
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := self(t, "sidecar", "--app-id=sub", "--unix-domain-socket", dir).Output()
	if exitCode(err) != exit.Failed || !strings.Contains(string(out), socket+" exists and is not a socket") {
		t.Errorf("with a file in its place it ended with %v: %s", err, out)
	}
}

func TestSidecarPortInUseNamesItsFlag(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, nil)
	for flag, address := range map[string]string{
		"--dapr-http-port": s.address["http"][0], "--dapr-grpc-port": s.address["grpc"][0],
		"--dapr-public-port": s.address["http"][0], "--metrics-port": s.address["metrics"][0],
	} {
		args := []string{
			"sidecar", "--app-id=b", "--dapr-http-port=0", "--dapr-grpc-port=0", "--metrics-port=0",
			"--dapr-listen-addresses=127.0.0.1", "--dapr-public-listen-address=127.0.0.1", "--metrics-listen-address=127.0.0.1",
		}
		port := portOf(t, address)
		out, err := self(t, append(args, flag, port)...).Output()
		if exitCode(err) != exit.Failed || !strings.Contains(string(out), flag+" "+port+": ") || !strings.Contains(string(out), "fatal") {
			t.Errorf("%s: exit code %d, %s", flag, exitCode(err), out)
		}
	}
}

func TestSidecarMetricsCanBeDisabled(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, nil, "--enable-metrics=false")
	if at, ok := s.address["metrics"]; ok {
		t.Errorf("metrics are served at %s", at)
	}
}
