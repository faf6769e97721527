package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"carillon/internal/app"
	"carillon/internal/descriptors"
	"carillon/internal/memory"
)

// errNodeEnded stops the app when the node has ended without an error.
var errNodeEnded = errors.New("the node has ended")

// dev runs an all-in-one node until ctx ends, the app that it started ends, or a client requests a
// shutdown.
func dev(ctx context.Context, args []string, std stdio) error {
	args, command := cutCommand(args)
	fs, c := devFlags()
	if err := parseFlags(fs, devUsage, args, std); err != nil {
		return err
	}
	log, closeLog, err := c.log.open(std.Err)
	if err != nil {
		return err
	}
	defer closeLog()
	cfg, err := c.node(std)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(cfg.Store.Dir)
	if err != nil {
		return fmt.Errorf("--data-dir %s: %w", cfg.Store.Dir, err)
	}
	keys, err := openKeys(c.keyFile)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "carillon dev keeps its jobs in %s; Ctrl-C stops it.\n", dir)
	shares, release, err := c.memory.apply(ctx, memory.AllInOne, std, log)
	if err != nil {
		return err
	}
	defer release()
	cfg.Memory = shares
	cfg.Descriptors = divideDescriptors(ctx, descriptors.Parts{Store: true, Sidecar: true}, log)
	cfg.Engine.Keys, cfg.Engine.Punctual = keys, true
	if cfg.Management.Tokens, err = c.management.tokens(); err != nil {
		return err
	}
	l, err := c.listen(ctx)
	if err != nil {
		return err
	}
	forced := make(chan struct{})
	cfg.OnForcedShutdown = sync.OnceFunc(func() { close(forced) })
	node, err := app.OpenAllInOne(cfg, l, nil, log)
	if err != nil {
		return fmt.Errorf("--data-dir %s: %w", dir, err)
	}
	c.announce(cfg, std)
	c.management.warn(ctx, log, l.Management)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return cmp.Or(node.Run(ctx), errNodeEnded) })
	if len(command) > 0 {
		g.Go(func() error { return runApp(ctx, command, c.appEnv(), c.appGrace, std) })
	}
	return awaitShutdown(g, forced, std)
}

// awaitShutdown waits until the node and its app have ended. When a client requests a forced shutdown, it
// kills the app and returns errForced without waiting for the node.
func awaitShutdown(g *errgroup.Group, forced <-chan struct{}, std stdio) error {
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
	if std.AtKill != nil {
		if kill := std.AtKill.Load(); kill != nil {
			(*kill)()
		}
	}
	return errForced
}

// listen opens the ports of the node on both loopback addresses. An error names the flag of the port. A
// port of 0 becomes a free one.
func (c *devConfig) listen(ctx context.Context) (l app.AllInOneListeners, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.HTTP, err = listenLoopback(ctx, "dapr-http-port", &c.httpPort); err != nil {
		return l, err
	}
	if l.GRPC, err = listenLoopback(ctx, "dapr-grpc-port", &c.grpcPort); err != nil {
		return l, err
	}
	if l.Scheduler, err = listenLoopback(ctx, "port", &c.port); err != nil {
		return l, err
	}
	l.Management, err = c.management.listen(ctx)
	return l, err
}

// announce prints the addresses of the node and its apps.
func (c *devConfig) announce(cfg app.AllInOneConfig, std stdio) {
	fmt.Fprintf(std.Out, "  %-12s http://localhost:%d\n", "HTTP API", c.httpPort)
	fmt.Fprintf(std.Out, "  %-12s localhost:%d\n", "gRPC API", c.grpcPort)
	fmt.Fprintf(std.Out, "  %-12s localhost:%d\n", "Scheduler", c.port)
	fmt.Fprintf(std.Out, "  %-12s http://localhost:%d\n", "Management", c.management.port)
	for _, a := range cfg.Sidecar.Apps {
		fmt.Fprintf(std.Out, "  %-12s %s at %s://%s\n", "app", a.ID, a.Protocol, a.Address)
	}
	if len(cfg.Sidecar.Apps) == 0 {
		fmt.Fprintf(std.Out, "  %-12s none; jobs wait until a sidecar of their app connects\n", "app")
	}
	id := "sub"
	if c.appID != "" {
		id = c.appID
	} else if len(cfg.Sidecar.Apps) > 0 {
		id = cfg.Sidecar.Apps[0].ID
	}
	fmt.Fprintf(std.Out, "Schedule a job:\n  curl -X POST http://localhost:%d/v1.0-alpha1/jobs/hello -H 'dapr-app-id: %s' "+
		"-d '{\"job\": {\"dueTime\": \"5s\", \"data\": \"hi\"}}'\n", c.httpPort, id)
}

// appEnv returns the environment variables for the app that dev starts.
func (c *devConfig) appEnv() []string {
	env := []string{
		"DAPR_HTTP_PORT=" + strconv.Itoa(c.httpPort), "DAPR_GRPC_PORT=" + strconv.Itoa(c.grpcPort), "APP_ID=" + c.appID,
	}
	if c.appPort != 0 {
		env = append(env, "APP_PORT="+strconv.Itoa(c.appPort))
	}
	return env
}
