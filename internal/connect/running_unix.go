//go:build unix

package connect

import (
	"errors"
	"syscall"
)

// running reports whether a process with that PID runs.
func running(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
