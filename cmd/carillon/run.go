package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"carillon/internal/truncate"
)

// A stdio is what a command may touch of the world around the process.
type stdio struct {
	In       *os.File // nil if there is none
	Out, Err io.Writer
	Env      func(name string) (value string, ok bool)
	// AtKill, if it is not nil, is where a command puts what is to be done before a second signal ends the process.
	AtKill *atomic.Pointer[func()]
}

// A command is one word of the command line.
type command struct {
	name, synopsis string
	run            func(ctx context.Context, args []string, std stdio) error
	flags          func() *flag.FlagSet // nil if it has none
}

// commands returns all of them, in the order in which help shows them.
func commands() []command {
	return []command{
		{"dev", "run everything in one process: sidecar, scheduler and store", dev, flagsOf(devFlags)},
		{"scheduler", "run the Scheduler service, in the place of Dapr's", scheduler, flagsOf(schedulerFlags)},
		{"sidecar", "run the jobs API for an app, in the place of daprd", runSidecar, flagsOf(sidecarFlags)},
		{"member", "show the schedulers of a cluster, or make room for a new one", member, flagsOf(memberFlags)},
		{"backup", "write all jobs into a file", backup, flagsOf(backupFlags)},
		{"restore", "put the jobs of a file into a scheduler that has none", restore, flagsOf(storeFlags("restore"))},
		{"quarantine", "show what of a store cannot be used and is left aside", quarantine, flagsOf(quarantineFlags)},
		{"keys", "show which keys of --encryption-key-file are needed", keys, flagsOf(keysFlags)},
		{"completion", "print a shell's completion script", completion, nil},
		{"version", "print the version", version, flagsOf(versionFlags)},
		{"help", "show this text, or the help of a command", help, nil},
	}
}

// flagsOf drops the configuration that flags would set.
func flagsOf[C any](flags func() (*flag.FlagSet, *C)) func() *flag.FlagSet {
	return func() *flag.FlagSet {
		fs, _ := flags()
		return fs
	}
}

// commandLine returns what argv asks for: a binary that is called scheduler is that command, and daprd is sidecar.
func commandLine(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	switch strings.TrimSuffix(filepath.Base(argv[0]), ".exe") {
	case "scheduler":
		return append([]string{"scheduler"}, argv[1:]...)
	case "daprd":
		return append([]string{"sidecar"}, argv[1:]...)
	default:
		return argv[1:]
	}
}

// What the process ends with. Scripts can rely on them.
const (
	exitOK    = 0
	exitError = 1 // it was tried, and did not work
	exitUsage = 2 // it was not tried: the command line is wrong
)

// A usageError is a command line that makes no sense. Its text says what is wrong with it.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// errInLog ends the process with exitError when the command has logged what is wrong.
var errInLog = errors.New("the log says why")

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// run carries out the command that args name and returns what the process ends with. It writes errors to std.Err.
func run(ctx context.Context, args []string, std stdio) int {
	name := "help"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	err := dispatch(ctx, name, args, std)
	var usage *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errInLog):
		return exitError
	case errors.As(err, &usage):
		fmt.Fprintf(std.Err, "carillon: %s\n", truncate.Text(err.Error()))
		return exitUsage
	default:
		fmt.Fprintf(std.Err, "carillon: %s\n", truncate.Text(err.Error()))
		return exitError
	}
}

// dispatch carries out the command of that name.
func dispatch(ctx context.Context, name string, args []string, std stdio) error {
	switch name {
	case "-h", "--help", "-help":
		name = "help"
	case "-v", "--version", "-version":
		name = "version"
	}
	var names []string
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, args, std)
		}
		names = append(names, c.name)
	}
	hint := ""
	if near, ok := nearest(name, names); ok {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	return usagef("carillon has no command %q%s; `carillon help` lists them", name, hint)
}

// help describes all commands, or shows the help of the one that args name.
func help(ctx context.Context, args []string, std stdio) error {
	if len(args) > 0 && args[0] != "help" {
		return dispatch(ctx, args[0], []string{"--help"}, std)
	}
	fmt.Fprint(std.Out, `Carillon is a durable job scheduler that speaks the Dapr Jobs API.

Usage: carillon <command> [flags]

`)
	for _, c := range commands() {
		fmt.Fprintf(std.Out, "  %-12s %s\n", c.name, c.synopsis)
	}
	fmt.Fprint(std.Out, `
Run an app with everything that it needs, and schedule a job for it:

  carillon dev --app-id sub --app-port 6000 -- ./my-app
  curl -X POST http://localhost:3500/v1.0-alpha1/jobs/hello -d '{"dueTime": "5s", "data": "hi"}'

'carillon <command> --help' shows a command's flags. Each flag can also be given as an environment variable:
CARILLON_DATA_DIR stands for --data-dir. Carillon ends with 0 if all went well, 1 after an error, and 2 if the
command line was wrong.
`)
	return nil
}
