//go:build !unix

package connect

import "os"

// running reports whether a process with that PID runs.
func running(pid int) bool {
	_, err := os.FindProcess(pid) // which fails for a process that has ended
	return err == nil
}
