package datadir_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"carillon/internal/store/datadir"
)

func TestGuardDetectsReplacedDirectory(t *testing.T) {
	for name, replace := range map[string]func(t *testing.T, dir string){
		"deleted":      func(t *testing.T, dir string) { try(t, os.RemoveAll(dir)) },
		"renamed":      func(t *testing.T, dir string) { try(t, os.Rename(dir, dir+".old")) },
		"emptied":      func(t *testing.T, dir string) { try(t, os.Remove(filepath.Join(dir, "LOCK"))) },
		"parent moved": func(t *testing.T, dir string) { try(t, os.Rename(filepath.Dir(dir), filepath.Dir(dir)+".old")) },
		"made anew": func(t *testing.T, dir string) {
			try(t, os.RemoveAll(dir))
			try(t, os.Mkdir(dir, 0o700))
			try(t, os.WriteFile(filepath.Join(dir, "LOCK"), nil, 0o600))
		},
		"replaced by a copy with hard links": func(t *testing.T, dir string) {
			try(t, exec.CommandContext(t.Context(), "cp", "-al", dir, dir+".new").Run())
			try(t, os.Rename(dir, dir+".old"))
			try(t, os.Rename(dir+".new", dir))
		},
		"a file in its place": func(t *testing.T, dir string) {
			try(t, os.RemoveAll(dir))
			try(t, os.WriteFile(dir, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "parent", "data")
			try(t, os.MkdirAll(dir, 0o700))
			lock, err := os.Create(filepath.Join(dir, "LOCK"))
			try(t, err)
			defer lock.Close()
			g, err := datadir.Watch(lock.Name(), dir)
			try(t, err)
			defer g.Close()
			if err := g.Check(); err != nil {
				t.Fatalf("before: %v", err)
			}
			replace(t, dir)
			if err := g.Check(); !errors.Is(err, datadir.ErrReplaced) {
				t.Errorf("after: %v, want %v", err, datadir.ErrReplaced)
			}
		})
	}
}

func TestGuardFollowsLinks(t *testing.T) {
	parent := t.TempDir()
	link := filepath.Join(parent, "link")
	for _, name := range []string{"a", "b"} {
		try(t, os.Mkdir(filepath.Join(parent, name), 0o700))
	}
	try(t, os.Symlink("a", link))
	g, err := datadir.Watch(link)
	try(t, err)
	defer g.Close()
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	try(t, os.Remove(link))
	try(t, os.Symlink("b", link))
	if err := g.Check(); !errors.Is(err, datadir.ErrReplaced) {
		t.Errorf("a link that leads elsewhere: %v, want %v", err, datadir.ErrReplaced)
	}
}

func TestNilGuardSucceeds(t *testing.T) {
	var g *datadir.Guard
	if err := errors.Join(g.Check(), g.Close()); err != nil {
		t.Error(err)
	}
	if _, err := datadir.Watch(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a directory that is not there can be watched")
	}
}

func BenchmarkCheckLock(b *testing.B) {
	lock, err := os.Create(filepath.Join(b.TempDir(), "LOCK"))
	if err != nil {
		b.Fatal(err)
	}
	defer lock.Close()
	g, err := datadir.Watch(lock.Name())
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	for b.Loop() {
		if err := g.CheckLock(); err != nil {
			b.Fatal(err)
		}
	}
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMakeErrorSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "a", "b"):     "",
		filepath.Join(dir, "loop"):       "loop has a symbolic link that leads back to itself: remove it, or choose another directory",
		filepath.Join(dir, "loop/a"):     "leads back to itself",
		filepath.Join(dir, "file"):       "choose a directory",
		filepath.Join(dir, "file", "a"):  "choose a directory",
		filepath.Join(dir, "dangling"):   "dangling is a symbolic link to nowhere, which does not exist: create that directory, or remove the link",
		filepath.Join(dir, "dangling/a"): "dangling is a symbolic link to nowhere",
		"/proc/x":                        "no directory can be created there; choose another",
	} {
		if err := datadir.Make(path); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Make(%s) = %v, want %q", path, err, want)
		}
	}
}
