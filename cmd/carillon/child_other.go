//go:build !unix

package main

import (
	"os/exec"
	"time"
)

// Where there are no process groups, the app alone is stopped.
func asGroup(*exec.Cmd)             {}
func terminate(cmd *exec.Cmd) error { return cmd.Process.Kill() }
func reap(*exec.Cmd, time.Time)     {}
