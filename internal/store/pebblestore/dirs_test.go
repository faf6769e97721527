package pebblestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"carillon/internal/store/datadir"
)

func TestDirectoryIsCheckedBeforeChange(t *testing.T) {
	for _, c := range []struct {
		name  string
		names []string
		want  string
	}{
		{"an empty one", nil, ""},
		{"a mount point", []string{"lost+found"}, ""},
		{"one that was begun", []string{"LOCK", "MANIFEST-000001", "OPTIONS-000002", "marker.manifest.000001.MANIFEST-000001", "000002.log", "000003.sst", "000004.dbtmp"}, ""},
		{"one of this format", []string{fmt.Sprintf("marker.format-version.000001.%03d", format), "letter.txt"}, ""},
		{"one of an earlier format", []string{"marker.format-version.000001.013"}, ""},
		{
			"one of the next format",
			[]string{fmt.Sprintf("marker.format-version.000001.%03d", format+1)},
			fmt.Sprintf("it has format %d, but this carillon supports formats up to %d: use the newer carillon that wrote it", format+1, format),
		},
		{"one of no format", []string{"marker.format-version.000001.new"}, `its format marker has the invalid value "new": restore it from a backup`},
		{"one of a broken marker", []string{"marker.x"}, `invalid marker filename: "x"`},
		{"one with a letter", []string{"LOCK", "letter.txt"}, `it has "letter.txt", which is not a file of a store: choose an empty directory`},
		{"one with an archive", []string{"log"}, `it has "log", which is not a file of a store: choose an empty directory`},
	} {
		tree := map[string][]byte{}
		for _, name := range c.names {
			tree[name] = nil
		}
		if err := checkDir(fileTree(t, tree), "store"); fmt.Sprint(err) != c.want && (err != nil || c.want != "") {
			t.Errorf("%s: inspect = %v, want %q", c.name, err, c.want)
		}
	}
	if err := checkDir(vfs.NewMem(), "nowhere"); err != nil {
		t.Errorf("one that is to be made: %v", err)
	}
	refused := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(errorfs.Op) error { return syscall.EACCES }))
	if err := checkDir(refused, "store"); err == nil || err.Error() != "permission denied: give this user the right to write there, or choose another directory" {
		t.Errorf("one that may not be read: %v", err)
	}
}

func TestOpenErrorSaysWhatToDo(t *testing.T) {
	other := errors.New("other")
	lost := errors.New("L0: size mismatch of x")
	const damaged = ": the data is damaged; restore it from a backup"
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("lock: %w", ErrInUse), ErrInUse.Error()},
		{fs.ErrPermission, "permission denied: give this user the right to write there, or choose another directory"},
		{syscall.EROFS, "read-only file system: give this user the right to write there, or choose another directory"},
		{syscall.ENOTDIR, "not a directory: choose a directory"},
		{syscall.ENOSPC, "no space left on device: free some space"},
		{fmt.Errorf("x: %w: %w", fs.ErrNotExist, errDamaged), "x: file does not exist" + damaged},
		{fmt.Errorf("x: %w: %w", fs.ErrNotExist, datadir.ErrReplaced), "x: file does not exist: " + datadir.ErrReplaced.Error()},
		{fmt.Errorf("x: %w", pebble.ErrCorruption), "x: pebble: corruption" + damaged},
		{fs.ErrNotExist, "file does not exist" + damaged},
		{lost, lost.Error() + damaged},
		{other, "other"},
	} {
		if got := withAdvice(c.err); got.Error() != c.want {
			t.Errorf("explain(%v) = %q, want %q", c.err, got, c.want)
		}
	}
	path := &fs.PathError{Op: "open", Path: "LOCK", Err: syscall.EACCES}
	for _, c := range []struct{ err, want error }{
		{nil, nil}, {path, path}, {syscall.EAGAIN, ErrInUse}, {syscall.EACCES, ErrInUse}, {errors.New("lock held by current process: x"), ErrInUse}, {other, other},
	} {
		if got := lockError(c.err); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("heldLock(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

func TestDirectoryHasOneCanonicalName(t *testing.T) {
	there := filepath.Join(t.TempDir(), "there")
	link := there + ".link"
	if err := errors.Join(os.Mkdir(there, 0o700), os.Symlink(there, link)); err != nil {
		t.Fatal(err)
	}
	mem := vfs.NewMem()
	for _, c := range []struct {
		cfg              Config
		dir, given, real string
	}{
		{cfg: Config{Dir: "x/../store", FS: mem}, dir: "x/../store"},
		{cfg: Config{Dir: there + "/."}, dir: there, given: there},
		{cfg: Config{Dir: link}, dir: there, given: link},
		{cfg: Config{Dir: there + "/new"}, dir: there + "/new", given: there + "/new"},
	} {
		dir, d, err := locate(c.cfg)
		if err != nil || dir != c.dir || d.configuredDir != c.given {
			t.Errorf("locate(%+v) = %q, given %q, %v; want %q, given %q", c.cfg, dir, d.configuredDir, err, c.dir, c.given)
		}
	}
	if _, _, err := locate(Config{}); err == nil || err.Error() != "no directory is configured: give one" {
		t.Errorf("locate of nothing: %v", err)
	}
	made := filepath.Join(there, "made")
	if err := makeDirError(made); err != nil {
		t.Error(err)
	}
	if s, err := os.Stat(made); err != nil || s.Mode().Perm() != 0o700 {
		t.Errorf("what Pebble has not made is %v, %v", s, err)
	}
	if err := os.Chmod(made, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := makeDirError(made); err != nil {
		t.Errorf("what Pebble has made: %v", err)
	}
}

func TestNewFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	p := privateFS{vfs.Default}
	name := filepath.Join(dir, "file")
	f, err := p.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(dir, "LOCK")
	held, err := p.Lock(lock)
	if err != nil {
		t.Fatal(err)
	}
	for _, made := range []string{name, lock} {
		if s, err := os.Stat(made); err != nil || s.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v, %v; want it for its user alone", made, s, err)
		}
	}
	if n := descriptors(t, lock); n != 1 {
		t.Errorf("the lock file is open %d times, want once", n)
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
	for before, want := range map[os.FileMode]os.FileMode{0o755: 0o700, 0o750: 0o700, 0o700: 0o700, 0o500: 0o500} {
		if err := os.Chmod(dir, before); err != nil {
			t.Fatal(err)
		}
		restrictDir(dir)
		if s, err := os.Stat(dir); err != nil || s.Mode().Perm() != want {
			t.Errorf("a folder of %o was shut to %v, %v; want %o", before, s.Mode(), err, want)
		}
	}
	restrictDir(filepath.Join(dir, "none"))
	if p.Unwrap() != vfs.Default {
		t.Error("below is not the machine's file system")
	}
	if _, err := p.Create(filepath.Join(dir, "none", "file"), vfs.WriteCategoryUnspecified); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Create in a folder that is not there: %v", err)
	}
}

// descriptors returns how many this process has of a file; where nobody can say it, 1.
func descriptors(t *testing.T, name string) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 1
	}
	n := 0
	for _, fd := range all {
		if at, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil && strings.TrimSuffix(at, " (deleted)") == name {
			n++
		}
	}
	return n
}
