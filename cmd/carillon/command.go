package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// stdio is the environment of a command: standard streams and environment variables.
type stdio struct {
	In       *os.File // nil if there is none
	Out, Err io.Writer
	Env      func(name string) (value string, ok bool)
	// AtKill is where a command stores a function that runs before a second signal ends the
	// process. It may be nil.
	AtKill *atomic.Pointer[func()]
}

// subcommand is a command of carillon.
type subcommand struct {
	name, synopsis string
	run            func(ctx context.Context, args []string, std stdio) error
	flags          func() *flag.FlagSet // nil if it has none
}

// Exit codes. Scripts may rely on them.
const (
	exitOK    = 0
	exitError = 1 // the command failed
	exitUsage = 2 // the command line is wrong; nothing was done
)

// usageError says what is wrong with the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// errInLog is returned by a command that has logged its error.
var errInLog = errors.New("the log says why")

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }
