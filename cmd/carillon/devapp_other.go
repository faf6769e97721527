//go:build !unix

package main

import (
	"os/exec"
	"time"
)

// Without process groups and signals, the app alone is killed.
func asGroup(*exec.Cmd)       {}
func ignoreTerminalReads()    {}
func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func stopGroup(cmd *exec.Cmd, _ <-chan struct{}, _ time.Duration) { _ = cmd.Process.Kill() }
