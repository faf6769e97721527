//go:build linux

package etcdmember_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sys/unix"

	"carillon/internal/job"
	"carillon/internal/store/etcdmember/etcdtest"
)

// TestSmallDiskIsFullAtHalf holds of disks that a file of etcd's log would fill by itself.
func TestSmallDiskIsFullAtHalf(t *testing.T) {
	for _, mib := range []int{64, 128} {
		t.Run(fmt.Sprint(mib, " MiB"), func(t *testing.T) {
			cfg := etcdtest.Config(t)
			dir := t.TempDir()
			if err := unix.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
				t.Skipf("this machine lets nobody mount a disk: %v", err)
			}
			t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
			cfg.Dir = filepath.Join(dir, "data")
			m, ended := run(t, cfg)
			if err := m.Full(); err != nil {
				t.Fatalf("an empty disk: %v", err)
			}
			value := bytes.Repeat([]byte{'v'}, 64<<10)
			written := 0
			for ; m.Full() == nil && written < mib<<20; written += len(value) {
				if _, err := m.KV().Put(t.Context(), &etcdserverpb.PutRequest{Key: fmt.Append(nil, written), Value: value}); err != nil {
					break // its quota is exceeded
				}
			}
			t.Logf("%d MiB were written: %v", written>>20, m.Full())
			if written < mib<<20/8 {
				t.Errorf("%d MiB were written, want an eighth of the disk at least", written>>20)
			}
			if err := m.Full(); err != nil && !errors.Is(err, job.ErrFull) {
				t.Errorf("Full() = %v", err)
			}
			select {
			case err := <-ended:
				t.Errorf("the member ended: %v", err)
			default:
			}
		})
	}
}
