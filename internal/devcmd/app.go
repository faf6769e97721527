package devcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"carillon/internal/terminal"
)

// errAppEnded stops the node when the app has ended by itself with exit code 0.
var errAppEnded = errors.New("the app has ended")

// runApp runs the user's app until the app or ctx ends. Then the app's process group gets one SIGTERM and,
// if a process of it is left after --app-grace-period, one SIGKILL. It returns nil if ctx ended, and errAppEnded if the
// app ended by itself with exit code 0.
func (o *devOptions) runApp(ctx context.Context) error {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), o.command[0], o.command[1:]...) // stopGroup ends it
	cmd.Env = append(os.Environ(), o.appEnv()...)
	cmd.Stdout, cmd.Stderr = o.std.Out, o.std.Err
	cmd.WaitDelay = outputDelay
	asGroup(cmd)
	closeInput, err := connectInput(cmd, o.std.In)
	if err != nil {
		return fmt.Errorf("start the app: %w", err)
	}
	defer closeInput()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the app: %w", err)
	}
	if o.atKill != nil {
		kill := func() { killGroup(cmd) }
		o.atKill.Store(&kill)
		defer o.atKill.Store(nil)
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
	stopGroup(cmd, ended, o.appGrace)
	<-ended
	switch {
	case ctx.Err() != nil:
		return nil // the app was stopped: its exit code does not matter
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return fmt.Errorf("the app %s ended: %w", o.command[0], err)
	default:
		return errAppEnded
	}
}

// connectInput gives the app our standard input. It passes on a file or a pipe as it is. Only one process
// group can read a terminal: ours, so that Ctrl-C reaches us. So terminal input is copied into a pipe. The
// caller closes the pipe with closeInput when the app has ended.
func connectInput(cmd *exec.Cmd, in *os.File) (closeInput func(), err error) {
	if in == nil || !terminal.Is(in) {
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
	go func() { // ends with the process at the latest: reading a terminal cannot be interrupted
		_, _ = io.Copy(pipe, in) // an error means that the app or the input has ended
		_ = pipe.Close()
	}()
	return func() { _ = pipe.Close() }, nil
}

// appEnv returns the environment variables for the app that dev starts.
func (o *devOptions) appEnv() []string {
	env := []string{
		"DAPR_HTTP_PORT=" + strconv.Itoa(o.httpPort), "DAPR_GRPC_PORT=" + strconv.Itoa(o.grpcPort), "APP_ID=" + o.appID,
	}
	if o.appPort != 0 {
		env = append(env, "APP_PORT="+strconv.Itoa(o.appPort))
	}
	return env
}
