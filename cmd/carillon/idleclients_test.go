//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/protobuf/types/known/anypb"
)

// withFiles limits the open file descriptors of cmd.
func withFiles(t *testing.T, cmd *exec.Cmd, limit int) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell to set a limit")
	}
	cmd.Args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, limit), cmd.Path}, cmd.Args[1:]...)
	cmd.Path = shell
}

// TestIdleConnectionsLeaveFilesForStore opens far more idle connections to each port of a node than it has
// descriptors. Meanwhile it schedules jobs that make the store write many files, and expects all triggers.
func TestIdleConnectionsLeaveFilesForStore(t *testing.T) {
	const limit, jobs = 192, 300
	d := startSchedulerAs(t, func(cmd *exec.Cmd) { withFiles(t, cmd, limit) }, "--etcd-data-dir="+t.TempDir(), "--memory-limit=128Mi")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream := d.watch(ctx, t)
	for _, port := range []string{"scheduler", "healthz", "metrics"} {
		for range 300 {
			c, err := net.Dial("tcp", d.address[port])
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if port == "scheduler" { // or it is closed after ten seconds
				_, _ = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
			}
		}
	}
	came := make(chan error, 1)
	go func() {
		seen := map[string]bool{}
		for len(seen) < jobs {
			m, err := stream.Recv()
			if err != nil {
				came <- fmt.Errorf("after %d triggers: %w", len(seen), err)
				return
			}
			seen[m.GetName()] = true
			result := &schedulerv1.WatchJobsRequestResult{Id: m.GetId(), Status: schedulerv1.WatchJobsRequestResultStatus_SUCCESS}
			_ = stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Result{Result: result}})
		}
		came <- nil
	}()
	data := &anypb.Any{Value: []byte(strings.Repeat("x", 200<<10))} // 60 MB in all: many times a memtable
	for i := range jobs {
		if _, err := d.ScheduleJob(ctx, &schedulerv1.ScheduleJobRequest{
			Name: fmt.Sprint(i), Job: &schedulerv1.Job{DueTime: new("0s"), Data: data},
			Metadata: &schedulerv1.JobMetadata{
				AppId: "sub", Namespace: "default",
				Target: &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)}},
			},
		}); err != nil {
			t.Fatalf("job %d: %v", i, err)
		}
		if open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid)); err == nil && len(open) > limit-16 {
			t.Errorf("%d descriptors are open of %d", len(open), limit)
		}
	}
	if err := <-came; err != nil {
		t.Error(err)
	}
	if said := d.said.String(); strings.Contains(said, "too many open files") || !strings.Contains(said, "too many connections") {
		t.Error("the log says that there were too many files, or does not say that there were too many connections")
	}
}
