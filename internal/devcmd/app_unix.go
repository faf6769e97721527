//go:build unix

package devcmd

import (
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// asGroup makes the app the leader of a process group, so that signals also reach its child processes.
func asGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// ignoreTerminalReads keeps a read of the terminal from stopping us when we run in the background.
func ignoreTerminalReads() { signal.Ignore(syscall.SIGTTIN) }

// killGroup sends SIGKILL to the app's process group.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// stopGroup sends one SIGTERM to the app's process group, and one SIGKILL if a process of it is left after
// grace. It returns when none is left, or after the SIGKILL. ended is closed when the app itself has ended.
func stopGroup(cmd *exec.Cmd, ended <-chan struct{}, grace time.Duration) {
	group := -cmd.Process.Pid
	if syscall.Kill(group, syscall.SIGTERM) != nil {
		return // no process is left
	}
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	poll := time.NewTicker(10 * time.Millisecond) // only a parent can wait for a process
	defer poll.Stop()
	for {
		select {
		case <-ended: // orphans of the app are our children if we are the init process of a container
			_, _ = syscall.Wait4(group, nil, syscall.WNOHANG, nil)
		default:
		}
		if syscall.Kill(group, 0) != nil {
			return
		}
		select {
		case <-deadline.C:
			killGroup(cmd)
			return
		case <-poll.C:
		}
	}
}
