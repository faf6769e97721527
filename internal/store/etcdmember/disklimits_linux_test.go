package etcdmember

import (
	"log/slog"
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"golang.org/x/sys/unix"
)

func TestMemberLimitsComeFromDiskSize(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("this machine lets nobody mount a disk: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	cfg := alone(t, "m")
	cfg.Dir = filepath.Join(dir, "data")
	wal.SegmentSizeBytes = 64 << 20
	m, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.config.QuotaBackendBytes, int64(64<<20/3); got != want || wal.SegmentSizeBytes != 1<<20 {
		t.Errorf("on a disk of 64 MiB the quota is %d and a file of the log has %d bytes, want %d and a MiB", got, wal.SegmentSizeBytes, want)
	}
}
