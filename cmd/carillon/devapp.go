package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// errAppEnded says that the app ended by itself with exit code 0; the node then stops too.
var errAppEnded = errors.New("the app has ended")

const (
	// defaultAppGrace is how long the app may take to stop before it is killed.
	defaultAppGrace = 5 * time.Second
	// outputDelay is how long output is still copied after the app and what it started have ended.
	outputDelay = time.Second
)

// runApp runs the user's app until it ends or ctx does. Then the app and the processes that it started get one SIGTERM
// and, if any of them is left after grace, one SIGKILL. It returns nil if ctx ended it, and errAppEnded if the app ended by
// itself with exit code 0.
func runApp(ctx context.Context, command, env []string, grace time.Duration, std stdio) error {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), command[0], command[1:]...) // stopGroup ends it
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = std.Out, std.Err
	cmd.WaitDelay = outputDelay
	asGroup(cmd)
	closeInput, err := connectInput(cmd, std.In)
	if err != nil {
		return fmt.Errorf("start the app: %w", err)
	}
	defer closeInput()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the app: %w", err)
	}
	if std.AtKill != nil {
		kill := func() { killGroup(cmd) }
		std.AtKill.Store(&kill)
		defer std.AtKill.Store(nil)
	}
	ended := make(chan struct{})
	go func() {
		err = cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	stopGroup(cmd, ended, grace)
	<-ended
	switch {
	case ctx.Err() != nil:
		return nil // it was stopped: how it ended does not matter
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return fmt.Errorf("the app %s ended: %w", command[0], err)
	default:
		return errAppEnded
	}
}

// connectInput gives the app our standard input. A file or a pipe is passed on as it is. A terminal can be read only by
// one process group, which is ours, so that Ctrl-C reaches us: what is typed is copied into a pipe. The caller closes the
// pipe with closeInput when the app has ended.
func connectInput(cmd *exec.Cmd, in *os.File) (closeInput func(), err error) {
	if in == nil || !isTerminal(in) {
		if in != nil {
			cmd.Stdin = in
		}
		return func() {}, nil
	}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	ignoreTerminalReads()
	go func() { // it ends with the process at the latest: a read of a terminal cannot be interrupted
		_, _ = io.Copy(pipe, in) // the app has ended, or what is typed has
		_ = pipe.Close()
	}()
	return func() { _ = pipe.Close() }, nil
}

// isTerminal reports whether f is a character device other than the null device.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
