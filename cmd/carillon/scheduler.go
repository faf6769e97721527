package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"carillon/internal/app"
)

// scheduler runs a scheduler node until ctx ends. Whatever goes wrong stands in the log, on standard output, where
// Dapr's scheduler says it.
func scheduler(ctx context.Context, args []string, std stdio) error {
	fs, c := schedulerFlags()
	if err := parse(fs, schedulerUsage, args, std); err != nil {
		return err
	}
	log, closeLog, err := c.log.open(std.Out)
	if err != nil {
		return err
	}
	defer closeLog()
	if err := c.run(ctx, std, log); err != nil {
		log.LogAttrs(ctx, levelFatal, "Scheduler service ended", slog.Any("err", err))
		return errInLog
	}
	log.LogAttrs(ctx, slog.LevelInfo, "Scheduler service shut down gracefully")
	return nil
}

func (c *schedulerConfig) run(ctx context.Context, std stdio, log *slog.Logger) error {
	if err := c.check(); err != nil {
		return err
	}
	l, err := c.listen(ctx)
	if err != nil {
		return err
	}
	address := c.address(ctx, l.Scheduler.Addr().(*net.TCPAddr).Port, std)
	var cfg app.Config
	cfg.Store.Dir = filepath.Join(c.dataDir, "carillon")
	cfg.Scheduler.Hosts = []string{address}
	node, err := app.OpenScheduler(cfg, l, log)
	if err != nil {
		return fmt.Errorf("--etcd-data-dir %s: %w", c.dataDir, err)
	}
	listening := []slog.Attr{
		slog.String("id", c.id), slog.String("sidecars_use", address), slog.String("data_folder", cfg.Store.Dir),
		slog.String("scheduler", l.Scheduler.Addr().String()), slog.String("healthz", l.Health.Addr().String()),
	}
	if l.Metrics != nil {
		listening = append(listening, slog.String("metrics", l.Metrics.Addr().String()))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "listening", listening...)
	return node.Run(ctx)
}

// check refuses what Dapr's scheduler does, in its words, and then what is not supported yet.
func (c *schedulerConfig) check() error {
	switch {
	case c.embed && len(c.endpoints) > 0:
		return errors.New("cannot use --etcd-client-endpoints with --etcd-embed")
	case c.embed && c.username != "":
		return errors.New("cannot use --etcd-client-username with --etcd-embed")
	case c.embed && c.password != "":
		return errors.New("cannot use --etcd-client-password with --etcd-embed")
	case !c.embed && len(c.endpoints) == 0:
		return errors.New("must specify --etcd-client-endpoints when not using embedded etcd")
	case c.mode != "kubernetes" && c.kubeconfig != "":
		return errors.New("kubeconfig flag is only valid in --mode=kubernetes")
	case c.workers == 0:
		return errors.New("workers must be larger than 0")
	}
	members, err := c.members()
	switch {
	case err != nil:
		return err
	case !members[c.id]:
		return fmt.Errorf("scheduler ID: %s is not found in initial cluster", c.id)
	case c.mode == "kubernetes":
		return errors.New("--mode=kubernetes is not supported yet: use standalone")
	case c.tls:
		return errors.New("--tls-enabled is not supported yet: leave it out where you can trust the network")
	case !c.embed:
		return errors.New("--etcd-embed=false is not supported yet: leave it out, and the jobs are kept in --etcd-data-dir")
	case len(members) > 1:
		return fmt.Errorf("--etcd-initial-cluster with %d members is not supported yet: name only this one", len(members))
	default:
		return nil
	}
}

// members returns the ids in --etcd-initial-cluster.
func (c *schedulerConfig) members() (map[string]bool, error) {
	ids := map[string]bool{}
	entries := c.cluster
	if len(entries) == 0 {
		entries = list{defaultCluster}
	}
	for _, entry := range entries {
		id, address, _ := strings.Cut(strings.TrimSpace(entry), "=")
		if u, err := url.Parse(address); err != nil || id == "" || u.Scheme == "" || u.Host == "" {
			return nil, fmt.Errorf("invalid format for initial cluster. It is id=url, such as %s, and not '%s'", defaultCluster, entry)
		}
		ids[id] = true
	}
	return ids, nil
}

// listen opens the ports of the node, or says which flag names what is not to be had.
func (c *schedulerConfig) listen(ctx context.Context) (l app.SchedulerListeners, err error) {
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.Scheduler, err = listen(ctx, "listen-address", c.listenAddress, "port", c.port); err != nil {
		return l, err
	}
	if l.Health, err = listen(ctx, "healthz-listen-address", c.healthzAddress, "healthz-port", c.healthzPort); err != nil {
		return l, err
	}
	switch {
	case !c.metrics:
	case c.metricsAddress == "" && c.listenAddress != "":
		l.Metrics, err = listen(ctx, "listen-address", c.listenAddress, "metrics-port", c.metricsPort)
	default:
		address := cmp.Or(c.metricsAddress, "0.0.0.0")
		l.Metrics, err = listen(ctx, "metrics-listen-address", address, "metrics-port", c.metricsPort)
	}
	return l, err
}
