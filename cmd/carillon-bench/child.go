package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"carillon/internal/bench"
	"carillon/internal/profile"
)

// child runs a process that carillon-bench starts beside the servers: a baseline server, or apps. It serves on
// a free loopback port, prints the address, and ends at SIGTERM.
func child(ctx context.Context, args []string, out, _ io.Writer) (err error) {
	if len(args) == 0 || args[0] != bench.Apps && !slices.Contains(bench.Baselines(), args[0]) {
		return usagef("carillon-bench starts its own children: want child %s|%s", bench.Apps, strings.Join(bench.Baselines(), "|"))
	}
	stop, err := profile.Start(os.LookupEnv)
	if err != nil {
		return err
	}
	defer stop()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	serve := serveBaseline
	if args[0] == bench.Apps {
		serve = serveApps
	}
	return serve(ctx, args[0], args[1:], l, out)
}

// serveApps serves apps that count their triggers.
func serveApps(ctx context.Context, name string, args []string, l net.Listener, out io.Writer) error {
	var c bench.AppsConfig
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.Func("scheduler", "`host:port` of a node; once for each", func(address string) error {
		c.Schedulers = append(c.Schedulers, address)
		return nil
	})
	fs.StringVar(&c.Prefix, "prefix", "app", "`prefix` of the app IDs")
	fs.IntVar(&c.Apps, "apps", 1, "`number` of apps")
	fs.IntVar(&c.Jobs, "jobs", 0, "`number` of jobs, of all apps together")
	fs.TextVar(&c.Due, "due", time.Time{}, "`time` at which the first job is due")
	fs.DurationVar(&c.Interval, "interval", 0, "`interval` between the due times of the jobs")
	fs.StringVar(&c.Answer, "answer", "", "`outcome` that the apps report: "+strings.Join(bench.Answers(), ", "))
	if err := fs.Parse(args); err != nil {
		return err
	}
	if !slices.Contains(bench.Answers(), c.Answer) {
		return usagef("--answer %q: want one of %s", c.Answer, strings.Join(bench.Answers(), ", "))
	}
	fmt.Fprintf(out, "listening on %v\n", l.Addr())
	return bench.ServeApps(ctx, c, l)
}

// serveBaseline serves the baseline server with that name.
func serveBaseline(ctx context.Context, name string, args []string, l net.Listener, out io.Writer) error {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	dir := fs.String("data-dir", "", "`directory` for what it writes")
	if err := fs.Parse(args); err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on %v\n", l.Addr())
	return bench.ServeBaseline(ctx, name, l, *dir)
}
