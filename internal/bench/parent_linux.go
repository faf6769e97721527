package bench

import (
	"os/exec"
	"syscall"
)

// endWithParent has the kernel send SIGTERM to the process when this process ends. To the kernel, the
// parent is the thread that starts the process. Go ends only threads of locked goroutines, and this
// program locks none.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
