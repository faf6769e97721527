// Package datadir creates data directories, and detects that a data directory or a file in it was
// replaced after a process opened it: it was deleted, renamed or replaced, or a file system was
// mounted over it.
//
// A lock on a file in the directory does not detect that. The lock stays with the file, wherever
// that is moved, while another process locks a new file at the same path.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Interval is how often an idle process checks its directory.
const Interval = time.Second

// ErrReplaced means that a path no longer names the file or directory that it named when it was
// opened.
var ErrReplaced = errors.New("the data directory or a file in it was deleted, moved or replaced while this process used it: " +
	"it writes nothing more. Acknowledged data is in the original directory: put that back, or restore a backup, before you restart")

// A Guard detects that paths were replaced. It is safe for concurrent use. A nil Guard detects
// nothing.
type Guard struct {
	paths []watchedPath
}

// watchedPath is a path and the file or directory that it named.
type watchedPath struct {
	name string
	info os.FileInfo
	dir  *os.File // of a directory; while it is open, its inode is not reused
}

// Watch returns a guard of a file, such as the lock file of a data directory, and of other paths,
// such as the directory itself. The caller must keep the file open while it uses the guard, because
// a file system may reuse the inode of a deleted file; the guard keeps directories open. It opens
// no files: closing one would release the POSIX locks that this process has on it.
func Watch(file string, others ...string) (*Guard, error) {
	g := &Guard{}
	for _, path := range append([]string{file}, others...) {
		p := watchedPath{name: path}
		var err error
		if p.info, err = os.Stat(path); err == nil && p.info.IsDir() {
			if p.dir, err = os.Open(filepath.Clean(path)); err == nil {
				p.info, err = p.dir.Stat()
			}
		}
		g.paths = append(g.paths, p)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("watch the data directory: %w", err), g.Close())
		}
	}
	return g, nil
}

// Check returns [ErrReplaced] if a path was deleted or replaced. It ignores other errors of the
// file system: reads and writes report them.
func (g *Guard) Check() error {
	if g == nil {
		return nil
	}
	for _, p := range g.paths {
		if err := p.check(); err != nil {
			return err
		}
	}
	return nil
}

// CheckLock is Check for the lock file only, which takes a few microseconds. While it returns nil,
// no other process can have the lock of a directory at this path.
func (g *Guard) CheckLock() error {
	if g == nil {
		return nil
	}
	return g.paths[0].check()
}

func (p watchedPath) check() error {
	now, err := os.Stat(p.name)
	switch {
	case err == nil && !os.SameFile(now, p.info):
		return fmt.Errorf("%s was replaced: %w", p.name, ErrReplaced)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s was deleted: %w", p.name, ErrReplaced)
	}
	return nil
}

// Close closes the directories.
func (g *Guard) Close() error {
	if g == nil {
		return nil
	}
	var err error
	for _, p := range g.paths {
		if p.dir != nil {
			err = errors.Join(err, p.dir.Close())
		}
	}
	return err
}
