package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// carry runs a command in this process, and returns its exit code and its whole output.
func carry(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	var out bytes.Buffer
	code = run(t.Context(), args, stdio{Out: &out, Err: &out, Env: func(string) (string, bool) { return "", false }})
	return code, out.String()
}

func TestRestoredJobsFire(t *testing.T) {
	dir, restored, file := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "jobs.archive")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d := startScheduler(t, "--etcd-data-dir", dir)
	d.schedule(ctx, t, "kept") // due at once, without a sidecar
	if code, said := carry(t, "backup", file, "--data-dir", filepath.Join(dir, "carillon")); code != exitError || !strings.Contains(said, "a running carillon has it open: stop it, make the backup, and start it again") {
		t.Errorf("a backup of a folder in use ends with %d and says %q", code, said)
	}
	d.stop(t, syscall.SIGTERM)
	if code, said := carry(t, "backup", file, "--data-dir", filepath.Join(dir, "carillon")); code != exitOK || !strings.Contains(said, "holds 1 job.") {
		t.Fatalf("backup ends with %d and says %q", code, said)
	}
	if code, said := carry(t, "backup", file, "--data-dir", filepath.Join(dir, "carillon")); code != exitError || !strings.Contains(said, "overwrite it with --force") {
		t.Errorf("a backup to a file that exists ends with %d and says %q", code, said)
	}
	if code, said := carry(t, "backup", file, "--data-dir", filepath.Join(dir, "carillon"), "--force"); code != exitOK {
		t.Errorf("a backup with --force ends with %d and says %q", code, said)
	}
	if code, said := carry(t, "restore", file, "--data-dir", filepath.Join(dir, "carillon")); code != exitError || !strings.Contains(said, "the store has jobs") {
		t.Errorf("a restore into a store with jobs ends with %d and says %q", code, said)
	}
	if code, said := carry(t, "restore", file, "--data-dir", filepath.Join(restored, "carillon")); code != exitOK {
		t.Fatalf("restore ends with %d and says %q", code, said)
	}
	d = startScheduler(t, "--etcd-data-dir", restored)
	stream := d.watch(ctx, t)
	if trigger, err := stream.Recv(); err != nil || trigger.GetName() != "kept" {
		t.Errorf("the sidecar received %v, %v", trigger, err)
	}
	d.stop(t, syscall.SIGTERM)
}

func TestDamagedBackupRestoresNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jobs.archive")
	if err := os.WriteFile(file, []byte("carillon archive 1\nand no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "new")
	if code, said := carry(t, "restore", file, "--data-dir", folder); code != exitError || !strings.Contains(said, "damaged") {
		t.Errorf("restore ends with %d and says %q", code, said)
	}
	if hasData(folder) {
		t.Error("and it has made a store")
	}
	for _, args := range [][]string{{"backup", file}, {"backup", "--data-dir", folder}, {"restore", file, "--data-dir", folder, "--etcd", "http://x:1"}} {
		if code, said := carry(t, args...); code != exitUsage {
			t.Errorf("%v ends with %d and says %q", args, code, said)
		}
	}
}
