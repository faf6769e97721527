package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/pprof"
	"slices"
	"time"

	"carillon/internal/bench"
)

// errNoCommand says that a child was not told what to be.
var errNoCommand = errors.New("bench child is for carillon bench itself: name a null or a command")

// benchChild is a process that bench has started: a null, or a command of carillon. It ends when its standard input
// does, which is when its parent ends, however that comes about.
func benchChild(ctx context.Context, args []string, std stdio) (err error) {
	fs := flag.NewFlagSet("bench child", flag.ContinueOnError)
	profile := fs.String("cpuprofile", "", "`file` for a processor profile")
	if err := fs.Parse(args); err != nil || fs.NArg() == 0 {
		return errors.Join(errNoCommand, err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return fmt.Errorf("--cpuprofile: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("--cpuprofile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	name, rest := fs.Arg(0), fs.Args()[1:]
	if slices.Contains(bench.Nulls(), name) {
		return serveNull(ctx, name, rest, std)
	}
	if name == bench.Apps {
		return serveApps(ctx, rest, std)
	}
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, rest, std)
		}
	}
	return errNoCommand
}

// serveApps serves apps that receive triggers, and tells what came at a free port, and says at which.
func serveApps(ctx context.Context, args []string, std stdio) error {
	var c bench.AppsConfig
	fs := flag.NewFlagSet(bench.Apps, flag.ContinueOnError)
	fs.Func("scheduler", "`host:port` of a node; once for each", func(address string) error {
		c.Schedulers = append(c.Schedulers, address)
		return nil
	})
	fs.StringVar(&c.Prefix, "prefix", "app", "`text` that the ids of the apps begin with")
	fs.IntVar(&c.Apps, "apps", 1, "`number` of apps")
	fs.IntVar(&c.Jobs, "jobs", 0, "`number` of jobs, of all apps together")
	fs.TextVar(&c.Due, "due", time.Time{}, "`instant` at which the first job is due")
	fs.DurationVar(&c.Pace, "pace", 0, "`time` from the due instant of a job to that of the next")
	choiceVar(fs, &c.Answer, "answer", "what the apps answer", bench.Answers()...)
	if err := fs.Parse(args); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "listening on %v\n", l.Addr())
	return bench.ServeApps(ctx, c, l)
}

// serveNull serves one of the nulls on a free port, and says on which.
func serveNull(ctx context.Context, name string, args []string, std stdio) error {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	dir := fs.String("data-dir", "", "`folder` for what it writes")
	if err := fs.Parse(args); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "listening on %v\n", l.Addr())
	return bench.ServeNull(ctx, name, l, *dir)
}
