package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"carillon/internal/truncate"
)

// commands returns all commands, in the order of help.
func commands() []subcommand {
	return []subcommand{
		{"dev", "run everything in one process: sidecar, scheduler and store", dev, flagsOf(devFlags)},
		{"scheduler", "run the Scheduler service: a drop-in replacement for Dapr's scheduler", scheduler, flagsOf(schedulerFlags)},
		{"sidecar", "run the jobs API for an app: a drop-in replacement for daprd", runSidecar, flagsOf(sidecarFlags)},
		{"member", "list the schedulers of a cluster, or replace a lost one", member, flagsOf(memberFlags)},
		{"backup", "write all jobs to a file", backup, flagsOf(backupFlags)},
		{"restore", "restore the jobs of a backup into an empty scheduler", restore, flagsOf(storeFlags("restore"))},
		{"quarantine", "list, export or delete damaged entries of a store", runQuarantine, flagsOf(quarantineFlags)},
		{"keys", "count the jobs that each encryption key encrypts", keys, flagsOf(keysFlags)},
		{"completion", "print the completion script of a shell", completion(commands), nil},
		{"version", "print the version", version, flagsOf(versionFlags)},
		{"help", "show this text, or the help of a command", help, nil},
	}
}

// flagsOf returns a function that returns the flags only, without the configuration that they set.
func flagsOf[C any](flags func() (*flag.FlagSet, *C)) func() *flag.FlagSet {
	return func() *flag.FlagSet {
		fs, _ := flags()
		return fs
	}
}

// commandLine returns the command and its arguments in argv. A binary that is named scheduler runs that
// command, and one that is named daprd runs sidecar.
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

// run runs the command that args name, writes its error to std.Err and returns the exit code.
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

// dispatch runs the command of that name.
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

// help describes all commands, or the one that args name.
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

'carillon <command> --help' shows a command's flags. Each flag can also be set by an environment variable:
--data-dir by CARILLON_DATA_DIR. Exit codes: 0 for success, 1 for an error, 2 for a wrong command line.
`)
	return nil
}
