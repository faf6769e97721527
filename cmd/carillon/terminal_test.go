//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"carillon/internal/logtest"
)

// openTerminal returns both ends of a new pseudo-terminal.
func openTerminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	user = os.NewFile(uintptr(fd), "/dev/ptmx") // not blocking, so that Close ends a read
	t.Cleanup(func() { user.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { program.Close() })
	return user, program
}

// TestDevOnATerminal types into a node's terminal, sends a SIGHUP, which the node survives, and closes the
// terminal.
func TestDevOnATerminal(t *testing.T) {
	// A program inherits signals that are ignored, as SIGHUP is under nohup, and not those that are caught.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(caught) })
	user, program := openTerminal(t)
	var said logtest.Page
	cmd := self(t, "dev", "--dapr-http-port=0", "--dapr-grpc-port=0", "--port=0", "--data-dir", t.TempDir(), "--", "sh", "-c",
		"echo app-is-up; read line; echo read $line; exec sleep 1000")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if t.Failed() {
			t.Logf("it said:\n%s", said.String())
		}
	})
	go func() { _, _ = io.Copy(&said, user) }()
	waitFor(t, "the app is up", func() bool { return strings.Contains(said.String(), "app-is-up") })
	if _, err := io.WriteString(user, "hello\n"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "what was typed reaches the app", func() bool { return strings.Contains(said.String(), "read hello") })
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("it ended at SIGHUP although its terminal is open: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	user.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v, want exit code 0", err)
		}
	case <-time.After(time.Minute):
		t.Error("it did not end with its terminal")
	}
}
