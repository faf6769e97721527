package pebblestore

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/go-cmp/cmp"

	"carillon/internal/store/datadir"
)

var rewrite = flag.Bool("rewrite", false, "write to testdata what operations of a disk do now; read it before you keep it")

var kinds = map[errorfs.OpKind]string{
	errorfs.OpCreate: "create", errorfs.OpLink: "link", errorfs.OpOpen: "open", errorfs.OpOpenDir: "open folder", errorfs.OpRemove: "remove",
	errorfs.OpRemoveAll: "remove all", errorfs.OpRename: "rename", errorfs.OpReuseForWrite: "reuse", errorfs.OpMkdirAll: "make folder",
	errorfs.OpLock: "lock", errorfs.OpList: "list", errorfs.OpFilePreallocate: "preallocate", errorfs.OpStat: "stat",
	errorfs.OpGetDiskUsage: "usage", errorfs.OpFileClose: "close", errorfs.OpFileRead: "read", errorfs.OpFileReadAt: "read at",
	errorfs.OpFileWrite: "write", errorfs.OpFileWriteAt: "write at", errorfs.OpFileStat: "stat file", errorfs.OpFileSync: "sync",
	errorfs.OpFileSyncData: "sync data", errorfs.OpFileSyncTo: "sync to", errorfs.OpFileFlush: "flush",
}

// A below is the file system under a disk. It notes what is done to it, and fails all of it while it is broken.
type below struct {
	vfs.FS
	under vfs.FS

	mu   sync.Mutex // guards the fields below
	err  error      // what every operation returns
	done []string   // since it was last asked
	open int        // how many files are
}

func newBelow(under vfs.FS) *below {
	b := &below{under: under}
	b.FS = errorfs.Wrap(under, errorfs.InjectorFunc(b.meet))
	return b
}

func (b *below) meet(op errorfs.Op) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, strings.TrimRight(kinds[op.Kind]+" "+strings.TrimPrefix(op.Path, "store/"), " "))
	return b.err
}

// A belowFile is one that is counted until it is closed, which is noted as well.
type belowFile struct {
	vfs.File
	below *below
	name  string
}

func (b *below) opened(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open++
	return &belowFile{f, b, name}, nil
}

func (f *belowFile) Close() error {
	err := errors.Join(f.File.Close(), f.below.meet(errorfs.Op{Kind: errorfs.OpFileClose, Path: f.name}))
	f.below.mu.Lock()
	defer f.below.mu.Unlock()
	f.below.open--
	return err
}

func (b *below) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := b.FS.Create(name, c)
	return b.opened(name, f, err)
}

func (b *below) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := b.FS.Open(name, opts...)
	return b.opened(name, f, err)
}

func (b *below) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := b.FS.OpenReadWrite(name, c, opts...)
	return b.opened(name, f, err)
}

func (b *below) OpenDir(name string) (vfs.File, error) {
	f, err := b.FS.OpenDir(name)
	return b.opened(name, f, err)
}

func (b *below) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := b.FS.ReuseForWrite(oldname, newname, c)
	return b.opened(newname, f, err)
}

// was returns what has been done, and forgets it.
func (b *below) was() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := strings.Join(b.done, ", ")
	b.done = nil
	return text
}

func (b *below) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// files are those that operations are tried on.
var files = []string{"000001.log", "000002.sst", "MANIFEST-000003", "OPTIONS-000004.dbtmp", "marker.seal.000001.x", "marker.manifest.000001.MANIFEST-000003"}

// An operation is something that is done to a disk. What it returns is told.
type operation struct {
	name string
	do   func(d *disk, opened map[string]vfs.File) (string, error)
}

func operations() (all []operation) {
	add := func(name string, do func(*disk, map[string]vfs.File) (string, error)) {
		all = append(all, operation{name, do})
	}
	made := func(f vfs.File, err error) (string, error) { return fmt.Sprintf("%T", f), err }
	for _, name := range files {
		path := "store/" + name
		add("create "+name, func(d *disk, _ map[string]vfs.File) (string, error) { return made(d.Create(path, "")) })
	}
	add("reuse", func(d *disk, _ map[string]vfs.File) (string, error) {
		return made(d.ReuseForWrite("store/old.log", "store/000009.log", ""))
	})
	add("open", func(d *disk, _ map[string]vfs.File) (string, error) { return made(d.Open("store/old.log")) })
	add("open to write", func(d *disk, _ map[string]vfs.File) (string, error) {
		return made(d.OpenReadWrite("store/old.log", ""))
	})
	add("open folder", func(d *disk, _ map[string]vfs.File) (string, error) { return made(d.OpenDir("store")) })
	add("list", func(d *disk, _ map[string]vfs.File) (string, error) {
		names, err := d.List("store/sub")
		return fmt.Sprint(names), err
	})
	plain := func(do func(d *disk) error) func(*disk, map[string]vfs.File) (string, error) {
		return func(d *disk, _ map[string]vfs.File) (string, error) { return "", do(d) }
	}
	add("make folder", plain(func(d *disk) error { return d.MkdirAll("store/new", 0o755) }))
	add("link", plain(func(d *disk) error { return d.Link("store/old.log", "store/link") }))
	add("remove", plain(func(d *disk) error { return d.Remove("store/old.log") }))
	add("remove all", plain(func(d *disk) error { return d.RemoveAll("store/sub") }))
	add("rename", plain(func(d *disk) error { return d.Rename("store/old.log", "store/new.log") }))
	add("rename options", plain(func(d *disk) error { return d.Rename("store/OPTIONS-000005.dbtmp", "store/OPTIONS-000005") }))
	for _, name := range append(slices.Clone(files), "folder") {
		on := func(what string, do func(f vfs.File) (string, error)) {
			add(what+" "+name, func(_ *disk, opened map[string]vfs.File) (string, error) { return do(opened[name]) })
		}
		on("sync", func(f vfs.File) (string, error) { return "", f.Sync() })
		if strings.HasPrefix(name, "marker.") || strings.HasPrefix(name, "OPTIONS-") || name == "folder" {
			continue // they are as tables or logs are
		}
		on("write", func(f vfs.File) (string, error) { n, err := f.Write([]byte("abc")); return fmt.Sprint(n), err })
		on("sync data", func(f vfs.File) (string, error) { return "", f.SyncData() })
		on("sync to", func(f vfs.File) (string, error) { full, err := f.SyncTo(3); return fmt.Sprint(full), err })
		on("preallocate", func(f vfs.File) (string, error) { return "", f.Preallocate(0, 3) })
		on("close", func(f vfs.File) (string, error) { return "", f.Close() })
	}
	add("write at 000002.sst", func(_ *disk, opened map[string]vfs.File) (string, error) {
		n, err := opened["000002.sst"].WriteAt([]byte("abc"), 0)
		return fmt.Sprint(n), err
	})
	return all
}

// states are those in which operations are tried.
var states = []struct {
	name string
	set  func(d *disk, b *below, opened map[string]vfs.File)
}{
	{"sound", func(*disk, *below, map[string]vfs.File) {}},
	{"with a manifest", func(_ *disk, _ *below, opened map[string]vfs.File) {
		_ = errors.Join(opened["MANIFEST-000003"].Sync(), opened["folder"].Sync())
	}},
	{"broken", func(_ *disk, b *below, _ map[string]vfs.File) { b.fail(errors.New("broken")) }},
	{"broken while Pebble opens", func(d *disk, b *below, _ map[string]vfs.File) { d.markLogCreated(); b.fail(errors.New("broken")) }},
	{"broken while the store closes", func(d *disk, b *below, _ map[string]vfs.File) { d.cancelRetries(); b.fail(errors.New("broken")) }},
	{"failed before", func(d *disk, _ *below, _ map[string]vfs.File) { d.fail(errors.New("it has failed")) }},
	{"failed before, and broken", func(d *disk, b *below, _ map[string]vfs.File) {
		d.fail(errors.New("it has failed"))
		b.fail(errors.New("broken"))
	}},
	{"watched", func(d *disk, _ *below, _ map[string]vfs.File) { d.guard, d.configuredDir = watchLock(), "watched" }},
	{"watched, without its files", func(d *disk, _ *below, _ map[string]vfs.File) { d.guard, d.configuredDir = watchLock(), "elsewhere" }},
	{"replaced", func(d *disk, _ *below, _ map[string]vfs.File) { d.guard = watchLock(); _ = os.Remove("LOCK") }},
	{"replaced while Pebble opens", func(d *disk, _ *below, _ map[string]vfs.File) {
		d.markLogCreated()
		d.guard = watchLock()
		_ = os.Remove("LOCK")
	}},
}

// watchLock returns a guard of a new file in the working directory.
func watchLock() *datadir.Guard {
	if err := os.WriteFile("LOCK", nil, 0o600); err != nil {
		panic(err)
	}
	g, err := datadir.Watch("LOCK")
	if err != nil {
		panic(err)
	}
	return g
}

// try does an operation in a state, and returns what came of it, in one line.
func try(t *testing.T, o operation, set func(*disk, *below, map[string]vfs.File)) string {
	b := newBelow(vfs.NewMem())
	d := newDisk(b)
	if err := b.under.MkdirAll("store/sub", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old.log", "OPTIONS-000005.dbtmp", "sub/x"} {
		if f, err := b.under.Create("store/"+name, vfs.WriteCategoryUnspecified); err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
	opened := map[string]vfs.File{}
	for _, name := range files {
		var err error
		if opened[name], err = d.Create("store/"+name, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := opened[name].Write([]byte("some")); err != nil {
			t.Fatal(err)
		}
	}
	marker, _, err := atomicfs.LocateMarker(d, "store", checksumMarker)
	if err != nil {
		t.Fatal(err)
	}
	d.checksum.setMarker(marker)
	if opened["folder"], err = d.OpenDir("store"); err != nil {
		t.Fatal(err)
	}
	d.logCreated = false // by the log that was made above
	set(d, b, opened)
	b.was()
	begun, files, manifest := d.logCreated, b.open, current(d)
	begin := time.Now()
	got, err := o.do(d, opened)
	took := time.Since(begin)
	var text strings.Builder
	fmt.Fprintf(&text, "(%s, %v)", got, err)
	say := func(format string, args ...any) { fmt.Fprintf(&text, ", "+format, args...) }
	if took > 0 {
		say("after %v", took)
	}
	if was := b.was(); was != "" {
		say("below [%s]", was)
	}
	if b.open != files {
		say("%+d open", b.open-files)
	}
	if d.failure() != nil {
		say("failed [%v]", d.failure())
	}
	if d.logCreated != begun {
		say("a log is begun")
	}
	if len(d.fileGuards) > 0 {
		say("%d watched", len(d.fileGuards))
	}
	if now := current(d); now != manifest {
		say("the manifest is %s", now)
	}
	return strings.ReplaceAll(text.String(), datadir.ErrReplaced.Error(), "it was replaced")
}

// current says which manifest a disk takes for the one that a power cut leaves, and how far that was synced.
func current(d *disk) string {
	return fmt.Sprintf("%q, of %d bytes", d.checksum.current, d.checksum.prefixes["MANIFEST-000003"].length)
}

// TestDiskRetriesWhatPebbleSurvives tries each operation on a disk that is sound, broken, or has
// failed: testdata/disk.txt says what it returns and when, what it does below, and whether the disk
// has failed.
func TestDiskRetriesWhatPebbleSurvives(t *testing.T) {
	golden, err := filepath.Abs(filepath.Join("testdata", "disk.txt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // paths are the same each time
	if err := os.Mkdir("watched", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"000009.log"}, files...) {
		if err := os.WriteFile(filepath.Join("watched", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var text strings.Builder
	for _, o := range operations() {
		fmt.Fprintf(&text, "%s\n", o.name)
		var outcomes []string
		in := map[string][]string{} // the states in which the outcome is this
		for _, state := range states {
			var outcome string
			synctest.Test(t, func(t *testing.T) { outcome = try(t, o, state.set) })
			if in[outcome] == nil {
				outcomes = append(outcomes, outcome)
			}
			in[outcome] = append(in[outcome], state.name)
		}
		for _, outcome := range outcomes {
			fmt.Fprintf(&text, "\t%s:\n\t\t%s\n", strings.Join(in[outcome], "; "), outcome)
		}
	}
	if *rewrite {
		if err := os.WriteFile(golden, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text.String(), "\n")); diff != "" {
		t.Errorf("operations of a disk (-want +got):\n%s", diff)
	}
}

func TestDiskUsageOfMissingDirectoryIsItsParents(t *testing.T) {
	for dir, want := range map[string]string{"there": "{5 10}", "there/a/b": "{5 10}", "elsewhere/a": "file does not exist", "refused": "unsupported operation"} {
		u, err := newDisk(usageOf{vfs.NewMem()}).usage(dir)
		got := fmt.Sprint(u)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("the usage of %s is %s, want %s", dir, got, want)
		}
	}
}

// A usageOf is a disk that knows how much is left in one folder.
type usageOf struct{ vfs.FS }

func (usageOf) GetDiskUsage(dir string) (vfs.DiskUsage, error) {
	switch dir {
	case "there":
		return vfs.DiskUsage{AvailBytes: 5, TotalBytes: 10}, nil
	case "refused":
		return vfs.DiskUsage{}, errors.ErrUnsupported
	}
	return vfs.DiskUsage{}, os.ErrNotExist
}
