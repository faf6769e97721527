//go:build linux

package crash_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mount mounts a small file system of its own for the test. Only root may; otherwise the test is skipped.
func mount(t *testing.T, args ...string) (dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	dir = t.TempDir()
	if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
		t.Skipf("no small disk can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", dir, err, out)
		}
	})
	return dir
}

// A smallDisk is a file system of its own, in a file.
type smallDisk struct {
	dir    string // where it is mounted
	image  string
	device string // its name
}

// ext4 mounts a new file system of that size that becomes read-only when it meets an error.
func ext4(t *testing.T, size string) *smallDisk {
	t.Helper()
	d := &smallDisk{image: filepath.Join(t.TempDir(), "disk")}
	for _, args := range [][]string{{"truncate", "-s", size, d.image}, {"mkfs.ext4", "-q", d.image}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("no small disk can be made here: %s: %v: %s", args[0], err, out)
		}
	}
	d.dir = mount(t, "-o", options, d.image)
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); fields[1] == d.dir {
			d.device = filepath.Base(fields[0])
		}
	}
	return d
}

const options = "loop,errors=remount-ro"

// fail makes the kernel find an error on the disk.
func (d *smallDisk) fail(t *testing.T) {
	t.Helper()
	if err := os.WriteFile("/sys/fs/ext4/"+d.device+"/trigger_fs_error", []byte("a test"), 0o200); err != nil {
		t.Skipf("no disk can be made to fail here: %v", err)
	}
}

// mend checks the disk, as an operator would, and mounts it again.
func (d *smallDisk) mend(t *testing.T) {
	t.Helper()
	const corrected = 1
	for _, args := range [][]string{{"umount", d.dir}, {"e2fsck", "-fp", d.image}, {"mount", "-o", options, d.image, d.dir}} {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if exit := new(exec.ExitError); err != nil && (args[0] != "e2fsck" || !errors.As(err, &exit) || exit.ExitCode() != corrected) {
			t.Fatalf("%s: %v: %s", args[0], err, out)
		}
	}
}

// free returns how many bytes anybody can still write to the file system of dir.
func free(t *testing.T, dir string) int64 {
	t.Helper()
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		t.Fatal(err)
	}
	return int64(stat.Bavail) * stat.Bsize
}

// fill writes a file of that many bytes, or as many as fit.
func fill(t *testing.T, path string, bytes int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); bytes > 0; bytes -= int64(len(block)) {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) || errors.Is(err, io.ErrShortWrite) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
