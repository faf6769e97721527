package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"carillon/internal/bulkv1"
	"carillon/internal/exit"
	"carillon/internal/nodecmd"
	"carillon/internal/terminal/terminaltest"
)

// carry runs a command in this process, and returns its exit code and its whole output.
func carry(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	std, out, _ := terminaltest.Streams()
	std.Err = out
	code = run(t.Context(), args, std, new(atomic.Pointer[func()]))
	return code, out.String()
}

func TestRestoredJobsFire(t *testing.T) {
	dir, restored, file := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "jobs.archive")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d := startScheduler(t, "--etcd-data-dir", dir)
	d.schedule(ctx, t, "kept") // due at once, without a sidecar
	d.scheduleLabelled(ctx, t, "labelled")
	if code, said := carry(t, "backup", file, "--data-dir", filepath.Join(dir, "carillon")); code != exit.Failed || !strings.Contains(said, "a running carillon has it open: stop it, make the backup, and start it again") {
		t.Errorf("a backup of a folder in use ends with %d and says %q", code, said)
	}
	d.stop(t, syscall.SIGTERM)
	if code, said := carry(t, "backup", file, "--data-dir", filepath.Join(dir, "carillon")); code != exit.OK || !strings.Contains(said, "holds 2 jobs.") {
		t.Fatalf("backup ends with %d and says %q", code, said)
	}
	if code, said := carry(t, "backup", file, "--data-dir", filepath.Join(dir, "carillon")); code != exit.Failed || !strings.Contains(said, "overwrite it with --force") {
		t.Errorf("a backup to a file that exists ends with %d and says %q", code, said)
	}
	if code, said := carry(t, "backup", file, "--data-dir", filepath.Join(dir, "carillon"), "--force"); code != exit.OK {
		t.Errorf("a backup with --force ends with %d and says %q", code, said)
	}
	if code, said := carry(t, "restore", file, "--data-dir", filepath.Join(dir, "carillon")); code != exit.Failed || !strings.Contains(said, "the store has jobs") {
		t.Errorf("a restore into a store with jobs ends with %d and says %q", code, said)
	}
	if code, said := carry(t, "restore", file, "--data-dir", filepath.Join(restored, "carillon")); code != exit.OK {
		t.Fatalf("restore ends with %d and says %q", code, said)
	}
	d = startScheduler(t, "--etcd-data-dir", restored)
	if got := d.labelsOf(ctx, t, "labelled"); got["team"] != "billing" {
		t.Errorf("a restored job has the labels %v", got)
	}
	stream := d.watch(ctx, t)
	if trigger, err := stream.Recv(); err != nil || trigger.GetName() != "kept" {
		t.Errorf("the sidecar received %v, %v", trigger, err)
	}
	d.stop(t, syscall.SIGTERM)
}

// scheduleLabelled schedules a job of the app sub that is due in an hour and has the label team=billing.
func (d *daprd) scheduleLabelled(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	answer, err := bulkv1.NewBulkClient(d.conn).ScheduleJobsWithExt(ctx, &bulkv1.ScheduleJobsWithExtRequest{Jobs: []*bulkv1.JobWithExt{{
		Job: &schedulerv1.ScheduleJobRequest{Name: name, Job: &schedulerv1.Job{DueTime: new("1h")}, Metadata: metadataOfSub()},
		Ext: &bulkv1.JobExt{Labels: map[string]string{"team": "billing"}},
	}}})
	if err != nil || len(answer.GetRefused()) > 0 {
		t.Fatal(answer, err)
	}
}

// labelsOf returns the labels of a job of the app sub.
func (d *daprd) labelsOf(ctx context.Context, t *testing.T, name string) map[string]string {
	t.Helper()
	var header metadata.MD
	if _, err := d.GetJob(ctx, &schedulerv1.GetJobRequest{Name: name, Metadata: metadataOfSub()}, grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	x, err := bulkv1.DecodeExt(strings.Join(header.Get(bulkv1.ExtHeader), ""))
	if err != nil {
		t.Fatal(err)
	}
	return x.GetLabels()
}

func metadataOfSub() *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{
		AppId: "sub", Namespace: "default",
		Target: &schedulerv1.JobTargetMetadata{Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)}},
	}
}

func TestDamagedBackupRestoresNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jobs.archive")
	if err := os.WriteFile(file, []byte("carillon archive 1\nand no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "new")
	if code, said := carry(t, "restore", file, "--data-dir", folder); code != exit.Failed || !strings.Contains(said, "damaged") {
		t.Errorf("restore ends with %d and says %q", code, said)
	}
	if nodecmd.HasData(folder) {
		t.Error("and it has made a store")
	}
	for _, args := range [][]string{{"backup", file}, {"backup", "--data-dir", folder}, {"restore", file, "--data-dir", folder, "--etcd", "http://x:1"}} {
		if code, said := carry(t, args...); code != exit.Usage {
			t.Errorf("%v ends with %d and says %q", args, code, said)
		}
	}
}
