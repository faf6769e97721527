// Package devcmd is the command that runs a whole node for development, and the user's app with it.
package devcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"carillon/internal/app"
	"carillon/internal/descriptors"
	"carillon/internal/exit"
	"carillon/internal/memory"
	"carillon/internal/nodecmd"
	"carillon/internal/terminal"
)

// errNodeEnded stops the app when the node has ended without an error.
var errNodeEnded = errors.New("the node has ended")

// New returns the command. atKill is where it stores a function that runs before a second signal ends the
// process.
func New(std *terminal.Streams, atKill *atomic.Pointer[func()]) *cobra.Command {
	o := &devOptions{std: std, atKill: atKill}
	c := &cobra.Command{
		Use:   "dev [flags] [-- COMMAND [ARG...]]",
		Short: "run everything in one process: sidecar, scheduler and store",
		Long: `Runs sidecar, scheduler and store in one process, for development. With a command after --, it also starts that
app with DAPR_HTTP_PORT, DAPR_GRPC_PORT, APP_ID and APP_PORT set; both stop together. Jobs are kept in .carillon in the
current directory, so that each project has its own.`,
		Example: `  carillon dev --app-id sub --app-port 6000 -- ./my-app
  carillon dev --app orders=http://127.0.0.1:6000 --app mail=grpc://127.0.0.1:6001`,
		Args: func(c *cobra.Command, args []string) error {
			if dash := c.ArgsLenAtDash(); len(args) > 0 && dash != 0 {
				return exit.Usagef("dev: unexpected argument %q: put the command of the app after --, as in carillon dev -- %s", args[0], args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.command = args
			return runDev(c.Context(), o)
		},
	}
	o.addFlags(c.Flags())
	return c
}

// runDev runs an all-in-one node until ctx ends, the app that it started ends, or a client requests a
// shutdown.
func runDev(ctx context.Context, o *devOptions) (err error) {
	log, closeLog, err := o.log.Open(o.std.Err)
	if err != nil {
		return err
	}
	defer closeLog()
	cfg, err := o.node()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(cfg.Store.Dir)
	if err != nil {
		return fmt.Errorf("--data-dir %s: %w", cfg.Store.Dir, err)
	}
	keys, err := nodecmd.OpenKeys(o.keyFile)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.std.Out, "carillon dev keeps its jobs in %s; Ctrl-C stops it.\n", dir)
	shares, release, err := o.memory.Apply(ctx, memory.AllInOne, o.std, log)
	if err != nil {
		return err
	}
	defer release()
	cfg.Memory = shares
	cfg.Node = app.NodeConfig{ID: "dev", Version: nodecmd.NodeVersion(), MemoryLimit: o.memory.Bytes}
	cfg.Descriptors = nodecmd.DivideDescriptors(ctx, descriptors.Parts{Store: true, Sidecar: true}, log)
	cfg.Engine.Keys, cfg.Engine.Punctual = keys, true
	if cfg.Management.Tokens, err = o.management.Tokens(); err != nil {
		return err
	}
	if cfg.Management.Certificate, err = o.management.Certificate(); err != nil {
		return err
	}
	l, err := o.listen(ctx)
	if err != nil {
		return err
	}
	forced := make(chan struct{})
	cfg.OnForcedShutdown = sync.OnceFunc(func() { close(forced) })
	node, err := app.OpenAllInOne(cfg, l, nil, log)
	if err != nil {
		return fmt.Errorf("--data-dir %s: %w", dir, err)
	}
	unmark, err := o.markRunning()
	if err != nil {
		return err // before the node runs
	}
	defer func() { err = errors.Join(err, unmark()) }()
	o.announce(cfg)
	o.management.Warn(ctx, log, l.Management)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return cmp.Or(node.Run(ctx), errNodeEnded) })
	if len(o.command) > 0 {
		g.Go(func() error { return o.runApp(ctx) })
	}
	return o.awaitShutdown(g, forced)
}

// awaitShutdown waits until the node and its app have ended. When a client requests a forced shutdown, it
// kills the app and returns nodecmd.ErrForced without waiting for the node.
func (o *devOptions) awaitShutdown(g *errgroup.Group, forced <-chan struct{}) error {
	ended := make(chan error, 1)
	go func() { ended <- g.Wait() }()
	select {
	case err := <-ended:
		if errors.Is(err, errAppEnded) || errors.Is(err, errNodeEnded) {
			return nil
		}
		return err
	case <-forced:
	}
	if o.atKill != nil {
		if kill := o.atKill.Load(); kill != nil {
			(*kill)()
		}
	}
	return nodecmd.ErrForced
}

// listen opens the ports of the node on both loopback addresses. An error names the flag of the port. A
// port of 0 becomes a free one.
func (o *devOptions) listen(ctx context.Context) (l app.AllInOneListeners, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.HTTP, err = nodecmd.ListenLoopback(ctx, "dapr-http-port", &o.httpPort); err != nil {
		return l, err
	}
	if l.GRPC, err = nodecmd.ListenLoopback(ctx, "dapr-grpc-port", &o.grpcPort); err != nil {
		return l, err
	}
	if l.Scheduler, err = nodecmd.ListenLoopback(ctx, "port", &o.port); err != nil {
		return l, err
	}
	l.Management, err = o.management.Listen(ctx)
	return l, err
}

// announce prints the addresses of the node and its apps.
func (o *devOptions) announce(cfg app.AllInOneConfig) {
	fmt.Fprintf(o.std.Out, "  %-12s http://localhost:%d\n", "HTTP API", o.httpPort)
	fmt.Fprintf(o.std.Out, "  %-12s localhost:%d\n", "gRPC API", o.grpcPort)
	fmt.Fprintf(o.std.Out, "  %-12s localhost:%d\n", "Scheduler", o.port)
	fmt.Fprintf(o.std.Out, "  %-12s %s\n", "Management", o.management.URL())
	for _, a := range cfg.Sidecar.Apps {
		fmt.Fprintf(o.std.Out, "  %-12s %s at %s://%s\n", "app", a.ID, a.Protocol, a.Address)
	}
	if len(cfg.Sidecar.Apps) == 0 {
		fmt.Fprintf(o.std.Out, "  %-12s none; jobs wait until a sidecar of their app connects\n", "app")
	}
	id := "sub"
	if o.appID != "" {
		id = o.appID
	} else if len(cfg.Sidecar.Apps) > 0 {
		id = cfg.Sidecar.Apps[0].ID
	}
	fmt.Fprintf(o.std.Out, "Schedule a job:\n  curl -X POST http://localhost:%d/v1.0-alpha1/jobs/hello -H 'dapr-app-id: %s' "+
		"-d '{\"job\": {\"dueTime\": \"5s\", \"data\": \"hi\"}}'\n", o.httpPort, id)
}
