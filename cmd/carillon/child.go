package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// errAppEnded says that the app ended by itself, and well; the node then stops too.
var errAppEnded = errors.New("the app has ended")

// appGrace is how long an app has to stop before it is killed.
const appGrace = 5 * time.Second

// runApp runs the user's app until it ends or ctx does; then it and what it started are asked to stop, and killed
// if they do not. It returns nil if ctx ended it, and errAppEnded if it ended by itself, and well.
func runApp(ctx context.Context, command, env []string, std stdio) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = std.Out, std.Err
	cmd.WaitDelay = appGrace
	asGroup(cmd)
	cmd.Cancel = func() error { return terminate(cmd) }
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the app: %w", err)
	}
	err := cmd.Wait()
	reap(cmd, time.Now().Add(appGrace))
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // it was asked to end, and how it did is its own business
	case err != nil:
		return fmt.Errorf("the app %s ended: %w", command[0], err)
	default:
		return errAppEnded
	}
}
