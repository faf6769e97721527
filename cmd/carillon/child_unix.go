//go:build unix

package main

import (
	"os/exec"
	"syscall"
	"time"
)

// asGroup makes the app a process group of its own, so that what it starts can be stopped with it.
func asGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// terminate asks the app and what it started to stop.
func terminate(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

// reap gives what the app has left behind until the deadline to stop, and then kills it.
func reap(cmd *exec.Cmd, deadline time.Time) {
	group := -cmd.Process.Pid
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for syscall.Kill(group, syscall.SIGTERM) == nil && time.Now().Before(deadline) {
		<-tick.C
	}
	_ = syscall.Kill(group, syscall.SIGKILL)
}
