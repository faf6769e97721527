//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package connect

import (
	"errors"
	"os"
	"syscall"
)

// replaceLocked is replaceFile for a file that is locked until release is called, or the process
// ends.
func replaceLocked(path string, text []byte) (release func() error, err error) {
	f, err := writeBeside(path, text)
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f.Close, nil
}

// ownerRuns reports whether the process runs that has locked a file.
func ownerRuns(f *os.File, _ int) bool {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK)
}
