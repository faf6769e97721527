package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"carillon/internal/exit"
)

// daprd is a client of a running `carillon scheduler`: a sidecar and an operator.
type daprd struct {
	schedulerv1.SchedulerClient
	*node
	conn    *grpc.ClientConn
	address map[string]string // by their names in the log
}

// startScheduler starts a scheduler on free ports with an empty environment.
func startScheduler(t *testing.T, args ...string) *daprd {
	t.Helper()
	return startSchedulerAs(t, func(*exec.Cmd) {}, args...)
}

// startSchedulerAs is startScheduler with a command that change has modified.
func startSchedulerAs(t *testing.T, change func(*exec.Cmd), args ...string) *daprd {
	t.Helper()
	return launchScheduler(t, change, "msg=listening", args...)
}

// launchScheduler is startSchedulerAs, but waits for a log line with this text and takes the addresses from it.
func launchScheduler(t *testing.T, change func(*exec.Cmd), text string, args ...string) *daprd {
	t.Helper()
	args = append([]string{"scheduler", "--listen-address=127.0.0.1", "--port=0", "--healthz-port=0", "--metrics-port=0"}, args...)
	cmd := self(t, args...)
	cmd.Env = []string{"CARILLON_TEST_MAIN=1"}
	change(cmd)
	d := &daprd{address: map[string]string{}}
	d.node = launch(t, cmd, func(line string) bool {
		if !strings.Contains(line, text) {
			return false
		}
		for _, m := range regexp.MustCompile(`(\w+)=(\S+)`).FindAllStringSubmatch(line, -1) {
			d.address[m[1]] = m[2]
		}
		return true
	})
	conn, err := grpc.NewClient(cmp.Or(d.address["scheduler"], d.address["ports"]), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	d.conn, d.SchedulerClient = conn, schedulerv1.NewSchedulerClient(conn)
	return d
}

// get makes a request to one of the HTTP servers, and returns the response.
func (d *daprd) get(t *testing.T, server, path string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.address[server]+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// health waits until the health has this status, and returns its body.
func (d *daprd) health(t *testing.T, want int) string {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		status, body := d.get(t, "healthz", "/healthz")
		switch {
		case status == want:
			return body
		case time.Now().After(deadline):
			t.Fatalf("health is %d %q, want %d", status, body, want)
		}
	}
}

// watch opens a stream for the app sub.
func (d *daprd) watch(ctx context.Context, t *testing.T) schedulerv1.Scheduler_WatchJobsClient {
	t.Helper()
	stream, err := d.WatchJobs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	initial := &schedulerv1.WatchJobsRequestInitial{AppId: "sub", Namespace: "default"}
	if err := stream.Send(&schedulerv1.WatchJobsRequest{
		WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{Initial: initial},
	}); err != nil {
		t.Fatal(err)
	}
	return stream
}

// schedule schedules a job of the app sub that is due at once.
func (d *daprd) schedule(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	if _, err := d.ScheduleJob(ctx, &schedulerv1.ScheduleJobRequest{
		Name: name, Job: &schedulerv1.Job{DueTime: new("0s")},
		Metadata: &schedulerv1.JobMetadata{
			AppId: "sub", Namespace: "default",
			Target: &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)}},
		},
	}); err != nil {
		t.Fatal(err)
	}
}

// stop sends a signal and checks that the scheduler stops gracefully in bounded time.
func (d *daprd) stop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	begin := time.Now()
	if err := d.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	if err := d.wait(); err != nil {
		t.Errorf("it ended with %v, want exit code 0", err)
	}
	if took := time.Since(begin); took > 3*time.Second+atOnce { // a server gives requests under way three seconds
		t.Errorf("stopping took %v", took)
	}
	out := d.said.String()
	if !strings.Contains(out, `msg="Scheduler service shut down gracefully"`) {
		t.Error("it does not say that it shut down")
	}
	if regexp.MustCompile("level=(warning|error|fatal)").MatchString(out) {
		t.Error("a clean stop is no reason for warnings")
	}
}

// TestSchedulerTakesHelmChartArguments starts a scheduler with the arguments of Dapr's Helm chart, without
// those that are not supported yet.
func TestSchedulerTakesHelmChartArguments(t *testing.T) {
	dir := t.TempDir()
	theirs := filepath.Join(dir, "member")
	if err := os.WriteFile(theirs, []byte("etcd"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startScheduler(t, "--id", "dapr-scheduler-server-0",
		"--etcd-initial-cluster", "dapr-scheduler-server-0=http://dapr-scheduler-server-0.dapr-scheduler-server:2380",
		"--etcd-embed=true", "--etcd-client-port", "2379", "--etcd-data-dir="+dir, "--etcd-space-quota=16Gi",
		"--etcd-compaction-mode=revision", "--etcd-compaction-retention=1000000", "--etcd-snapshot-count=100000",
		"--etcd-max-snapshots=10", "--etcd-max-wals=10", "--etcd-backend-batch-limit=10000",
		"--etcd-backend-batch-interval=100ms", "--etcd-experimental-bootstrap-defrag-threshold-megabytes=100",
		"--etcd-initial-election-tick-advance=false", "--etcd-metrics=basic", "--log-level", "info",
		"--enable-metrics", "--trust-domain=localhost", "--trust-anchors-file=/var/run/secrets/dapr.io/tls/ca.crt",
		"--sentry-address=dapr-sentry:443", "--mode=standalone", "--workers=2048",
		"--override-broadcast-host-port=localhost:50006")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	hosts, err := d.WatchHosts(ctx, new(schedulerv1.WatchHostsRequest))
	if err != nil {
		t.Fatal(err)
	}
	told, err := hosts.Recv()
	if err != nil || len(told.GetHosts()) != 1 || told.GetHosts()[0].GetAddress() != "localhost:50006" {
		t.Errorf("hosts: %v, %v", told, err)
	}
	stream := d.watch(ctx, t)
	d.schedule(ctx, t, "now")
	if trigger, err := stream.Recv(); err != nil || trigger.GetName() != "now" {
		t.Errorf("the sidecar received %v, %v", trigger, err)
	}

	if body := d.health(t, http.StatusOK); body != "" {
		t.Errorf("a healthy node says %q", body)
	}
	for _, path := range []string{"/", "/metrics"} {
		status, body := d.get(t, "metrics", path)
		if status != http.StatusOK || !strings.Contains(body, "\nprocess_start_time_seconds ") {
			t.Errorf("metrics at %s: %d %.100s", path, status, body)
		}
		for line := range strings.Lines(body) {
			if !regexp.MustCompile(`^(# (HELP|TYPE) \w+ .+|[a-z_:]\w*(\{.*\})? [-+.\w]+)\n$`).MatchString(line) {
				t.Errorf("not a line of metrics: %q", line)
			}
		}
	}
	d.stop(t, syscall.SIGTERM)
	if text, err := os.ReadFile(theirs); err != nil || string(text) != "etcd" {
		t.Errorf("Dapr's data now reads %q, %v", text, err)
	}
}

func TestSignalStopsScheduler(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			d := startScheduler(t, "--etcd-data-dir", t.TempDir())
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			d.hang(t)
			hung := d.watch(ctx, t)
			if _, err := d.WatchJobs(ctx); err != nil { // and never says what it wants
				t.Fatal(err)
			}
			d.schedule(ctx, t, "never handled")
			if _, err := hung.Recv(); err != nil {
				t.Fatal(err)
			}
			d.stop(t, sig)
		})
	}
}

// hang opens a connection that neither sends nor reads anything.
func (d *daprd) hang(t *testing.T) {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", d.address["scheduler"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprint(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil { // it has been accepted
		t.Fatal(err)
	}
}

// TestSecondSignalEndsSchedulerAtOnce also checks that the health of a stopping node says so.
func TestSecondSignalEndsSchedulerAtOnce(t *testing.T) {
	t.Parallel()
	d := startScheduler(t, "--etcd-data-dir", t.TempDir())
	d.hang(t)
	d.health(t, http.StatusOK)
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if body := d.health(t, http.StatusServiceUnavailable); !strings.Contains(body, "stopping") {
		t.Errorf("health while it stops: %q", body)
	}
	begin := time.Now()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := d.wait(); exitCode(err) != exit.Failed {
		t.Errorf("it ended with %v, want exit code %d", err, exit.Failed)
	}
	if took := time.Since(begin); took > atOnce {
		t.Errorf("ending took %v", took)
	}
}

func TestSchedulerPortInUseNamesItsFlag(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := startScheduler(t, "--etcd-data-dir", dir)
	for flag, value := range map[string]string{
		"--port": portOf(t, d.address["scheduler"]), "--healthz-port": portOf(t, d.address["healthz"]),
		"--metrics-port": portOf(t, d.address["metrics"]), "--etcd-data-dir": dir,
	} {
		args := []string{"scheduler", "--listen-address=127.0.0.1", "--healthz-listen-address=127.0.0.1"}
		for _, port := range []string{"--port", "--healthz-port", "--metrics-port"} {
			if port != flag {
				args = append(args, port+"=0")
			}
		}
		out, err := self(t, append(args, flag, value)...).Output()
		if exitCode(err) != exit.Failed || !strings.Contains(string(out), flag+" "+value+": ") {
			t.Errorf("%s: exit code %d, %s", flag, exitCode(err), out)
		}
	}
}

func TestSchedulerMetricsCanBeDisabled(t *testing.T) {
	t.Parallel()
	d := startScheduler(t, "--etcd-data-dir", t.TempDir(), "--enable-metrics=false")
	if at, ok := d.address["metrics"]; ok {
		t.Errorf("metrics are served at %s", at)
	}
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
