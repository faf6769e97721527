// Package schedulercmd is the command that runs a scheduler in the place of Dapr's. It takes the flags of
// Dapr's scheduler, refuses what that refuses, in its words, and logs errors to standard output, as that does.
package schedulercmd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"carillon/internal/app"
	"carillon/internal/command"
	"carillon/internal/descriptors"
	"carillon/internal/exit"
	"carillon/internal/nodecmd"
	"carillon/internal/roleflag"
	"carillon/internal/terminal"
)

// New returns the command.
func New(std *terminal.Streams) *cobra.Command {
	return command.Role(&cobra.Command{
		Use: "scheduler [flags]", Short: "run the Scheduler service: a drop-in replacement for Dapr's scheduler",
		RunE: func(c *cobra.Command, args []string) error { return runScheduler(c.Context(), args, std) },
	}, usage, Flags)
}

// Flags returns the flags of the command.
func Flags() *flag.FlagSet {
	fs, _ := schedulerFlags()
	return fs
}

// runScheduler runs a scheduler node until ctx ends.
func runScheduler(ctx context.Context, args []string, std *terminal.Streams) error {
	fs, c := schedulerFlags()
	if err := roleflag.Parse(fs, usage, args, std); err != nil {
		return err
	}
	fs.Visit(func(f *flag.Flag) { c.set = append(c.set, f.Name) })
	log, closeLog, err := c.log.Open(std.Out)
	if err != nil {
		return err
	}
	defer closeLog()
	log = nodecmd.AsDapr(log, "carillon.scheduler")
	if err := c.run(ctx, std, log); err != nil {
		log.LogAttrs(ctx, nodecmd.LevelFatal, "Scheduler service ended", slog.Any("err", err))
		if c.log.File != "" {
			fmt.Fprintf(std.Err, "carillon: %v\n", err)
		}
		return exit.ErrLogged
	}
	log.LogAttrs(ctx, slog.LevelInfo, "Scheduler service shut down gracefully")
	return nil
}

func (c *schedulerOptions) run(ctx context.Context, std *terminal.Streams, log *slog.Logger) error {
	if err := c.check(); err != nil {
		return err
	}
	shares, release, err := c.memory.Apply(ctx, c.etcd.processKind(), std, log)
	if err != nil {
		return err
	}
	defer release()
	namespaces, err := c.namespaces(std, log)
	if err != nil {
		return err
	}
	who, err := c.identity(std, log)
	if err != nil {
		return err
	}
	keys, err := nodecmd.OpenKeys(c.keyFile)
	if err != nil {
		return err
	}
	cfg := app.Config{Memory: shares, Descriptors: nodecmd.DivideDescriptors(ctx, descriptors.Parts{Store: true}, log)}
	cfg.Node = app.NodeConfig{ID: c.id, Version: nodecmd.NodeVersion(), MemoryLimit: c.memory.Bytes}
	if cfg.Hosts, err = nodecmd.HostsOf(c.allowedHosts, c.listenAddress, c.healthzAddress, c.metricsAddress, c.management.Address()); err != nil {
		return err
	}
	if cfg.Management.Tokens, err = c.management.Tokens(); err != nil {
		return err
	}
	if cfg.Management.Certificate, err = c.management.Certificate(); err != nil {
		return err
	}
	if err := c.quota.apply(&cfg); err != nil {
		return err
	}
	l, err := c.listen(ctx)
	if err != nil {
		return err
	}
	address := c.advertisedAddress(ctx, l.Scheduler.Addr().(*net.TCPAddr).Port, std)
	if c.etcd.clustered() {
		cfg.Cluster, err = c.etcd.clusterConfig(c.id, address, c.dataDir, c.given, c.memberTLS(who))
	} else {
		cfg.Store.Dir = filepath.Join(c.dataDir, nodecmd.SingleDir)
		cfg.Scheduler.Hosts = []string{address}
		err = checkSingle(c.dataDir)
	}
	if err != nil {
		return errors.Join(err, l.Close())
	}
	cfg.Scheduler.Identity = who
	cfg.Engine.Keys, cfg.Engine.Punctual = keys, true
	cfg.Namespaces = namespaces
	listening := []slog.Attr{
		slog.String("id", c.id), slog.String("sidecars_use", address), slog.String("data_dir", c.dataDir),
		slog.String("scheduler", l.Scheduler.Addr().String()), slog.String("healthz", l.Health.Addr().String()),
	}
	listening = append(listening, slog.String("management", l.Management[0].Addr().String()))
	if l.Metrics != nil {
		listening = append(listening, slog.String("metrics", l.Metrics.Addr().String()))
	}
	cfg.OnListening = func(ctx context.Context) { log.LogAttrs(ctx, slog.LevelInfo, "listening", listening...) }
	node, err := app.OpenScheduler(cfg, l, log)
	if err != nil {
		return fmt.Errorf("--etcd-data-dir %s: %w", c.dataDir, err)
	}
	exposedEndpoints := c.etcd.plaintextEndpoints(c.id)
	if who == nil {
		exposedEndpoints = append(exposedEndpoints, nodecmd.EndpointOf(l.Scheduler, "read, change and delete every job of every app, and receive its triggers"))
	}
	nodecmd.WarnExposed(ctx, log, exposedEndpoints, []nodecmd.PlaintextEndpoint{nodecmd.EndpointOf(l.Health, "read health"), nodecmd.EndpointOf(l.Metrics, "read metrics")})
	c.management.Warn(ctx, log, l.Management)
	c.etcd.warnOfExternal(ctx, log)
	return node.Run(ctx)
}

// check refuses what Dapr's scheduler does, in its words.
func (c *schedulerOptions) check() error {
	switch {
	case c.mode != "kubernetes" && c.kubeconfig != "":
		return errors.New("kubeconfig flag is only valid in --mode=kubernetes")
	case c.workers == 0:
		return errors.New("workers must be larger than 0")
	}
	return c.etcd.check(c.id, c.secured())
}

// given reports whether the flag was given, on the command line or in the environment.
func (c *schedulerOptions) given(name string) bool { return slices.Contains(c.set, name) }
