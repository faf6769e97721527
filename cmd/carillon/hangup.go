package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// handleHangup decides what SIGHUP and SIGPIPE do to the command in args. A server outlives both: SIGHUP only reopens its
// log file, and a closed pipe on standard output only ends the output. dev is a server too, but it also belongs to a
// terminal: it stops when that terminal is closed.
func handleHangup(args []string, stop context.CancelCauseFunc) {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "scheduler", "sidecar":
		signal.Ignore(syscall.SIGHUP)
	case "dev":
		if signal.Ignored(syscall.SIGHUP) { // as under nohup
			break
		}
		had, hangups := hasTerminal(), make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP) // and not Ignore, which the app would inherit
		go func() {
			for s := range hangups {
				if had && !hasTerminal() {
					stop(signalError{s})
				}
			}
		}()
	default:
		return
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // a write then returns an error instead of ending the process
}

// hasTerminal reports whether the process has a controlling terminal.
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}
