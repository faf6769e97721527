package pebblestore

import (
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// A descriptor is a file that has one, and nothing else.
type descriptor struct {
	vfs.File
	fd uintptr
}

func (d descriptor) Fd() uintptr { return d.fd }

// TestSyncErrorIsIgnoredOnWritableFile opens files by their paths alone, which is enough to ask for
// their file system, and not to change them.
func TestSyncErrorIsIgnoredOnWritableFile(t *testing.T) {
	if err := writable(descriptor{fd: vfs.InvalidFd}); err != nil {
		t.Errorf("a file in memory: %v", err)
	}
	if err := writable(descriptor{fd: 1 << 20}); err == nil || err.Error() != "check the file system after a sync: bad file descriptor" {
		t.Errorf("a file that is not open: %v", err)
	}
	for _, dir := range []string{t.TempDir(), "/dev/shm"} {
		f, err := os.CreateTemp(dir, "synced")
		if err != nil {
			continue // there is no such file system here
		}
		defer os.Remove(f.Name())
		if err := writable(descriptor{fd: f.Fd()}); err != nil {
			t.Errorf("a file in %s: %v", dir, err)
		}
		path, err := unix.Open(f.Name(), unix.O_PATH, 0)
		if err != nil {
			t.Fatal(err)
		}
		var s unix.Statfs_t
		if err := unix.Fstatfs(path, &s); err != nil {
			t.Fatal(err)
		}
		err = writable(descriptor{fd: uintptr(path)})
		if ext4 := s.Type == unix.EXT4_SUPER_MAGIC; ext4 != (err != nil) || ext4 && !strings.HasPrefix(err.Error(), "check whether a sync can be trusted: ") {
			t.Errorf("a file in %s that cannot be changed, on ext4: %v: %v", dir, ext4, err)
		}
		if err := unix.Close(path); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
