// Package datadir notices that a data directory, or a file in it, is no longer where a process opened it: it was deleted,
// renamed, replaced by another, or a file system was mounted over it.
//
// A lock on a file in the directory does not show that. The lock stays with the file, wherever that goes, while another
// process finds another file of the same name, locks it, and runs on the same path.
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

// Interval is how often a process that is idle checks its directory.
const Interval = time.Second

// ErrReplaced says that a path no longer names what it named when it was opened.
var ErrReplaced = errors.New("the data directory or a file in it was deleted, moved or replaced while this process used it: " +
	"nothing more is written. What was acknowledged is in the directory as it was: put it back, or restore a backup, before you start again")

// A Guard remembers what some paths name. It is safe for concurrent use. The nil Guard finds nothing wrong.
type Guard struct {
	paths []watchedPath
}

// A place is a path and what it named.
type watchedPath struct {
	name string
	info os.FileInfo
	dir  *os.File // of a directory; as long as it is open, its inode has no other use
}

// Watch returns a guard of a file, such as the lock file of a data directory, and of further paths, such as the directory
// itself. The caller keeps the file open for as long as it uses the guard, because a file system may give the inode of a deleted
// file to a new one; a guard keeps directories open itself. It opens no files: to close one ends the POSIX locks that this
// process has on it.
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

// Check returns [ErrReplaced] if one of the paths names nothing, or something else than it did. Other errors of the file
// system are no answer, and are left to those who read and write there.
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

// CheckLock is Check for the lock file alone, which takes some microseconds. As long as it returns nil no other process can
// have the lock of a directory at this path.
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
		return fmt.Errorf("%s is not what it was: %w", p.name, ErrReplaced)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s is gone: %w", p.name, ErrReplaced)
	}
	return nil
}

// Close lets the directories go.
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
