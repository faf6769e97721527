package bench

import (
	"os/exec"
	"syscall"
)

// endWithParent has the kernel end the process when this one ends, however that comes about. (The kernel means the thread
// that starts it; Go ends no thread that does not belong to a locked goroutine.)
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
