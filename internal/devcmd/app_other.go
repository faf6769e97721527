//go:build !unix

package devcmd

import (
	"os/exec"
	"time"
)

// asGroup does nothing: without process groups and signals, only the app itself is killed.
func asGroup(*exec.Cmd)       {}
func ignoreTerminalReads()    {}
func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func stopGroup(cmd *exec.Cmd, _ <-chan struct{}, _ time.Duration) { _ = cmd.Process.Kill() }
