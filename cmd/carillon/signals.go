package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"carillon/internal/nodecmd"
)

// handleHangup sets what SIGHUP and SIGPIPE do to the command in args. Neither stops a server: SIGHUP
// reopens its log file, and after SIGPIPE writes to standard output fail. dev also belongs to a
// terminal: SIGHUP stops it when that terminal is closed.
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
		hadTerminal, hangups := hasTerminal(), make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP) // not Ignore: the app would inherit it
		go func() {
			for s := range hangups {
				if hadTerminal && !hasTerminal() {
					stop(nodecmd.SignalError{Signal: s})
				}
			}
		}()
	default:
		return
	}
	// A write then returns an error instead of ending the process.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
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
