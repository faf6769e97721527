package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"carillon/internal/app"
	"carillon/internal/descriptors"
	"carillon/internal/memory"
)

// runSidecar runs a sidecar node until ctx ends. It logs errors to standard output, as daprd does.
func runSidecar(ctx context.Context, args []string, std stdio) error {
	fs, c := sidecarFlags()
	if err := parseFlags(fs, sidecarUsage, args, std); err != nil {
		return err
	}
	switch {
	case bool(c.printVersion):
		_, err := fmt.Fprintln(std.Out, daprVersion)
		return err
	case bool(c.printBuild):
		version, revision := buildVersion()
		_, err := fmt.Fprintf(std.Out, "Version: %s\nGit Commit: %s\nGit Version: %s\n", daprVersion, revision, version)
		return err
	case bool(c.wait):
		return c.await(ctx, std)
	}
	log, closeLog, err := c.log.open(std.Out)
	inFile := err == nil && c.log.file != ""
	if err != nil {
		plain := logConfig{level: "info", json: c.log.json}
		log, closeLog, _ = plain.open(std.Out) // which cannot fail
	}
	defer closeLog()
	log = asDapr(log.With(slog.String("app_id", c.appID)), "carillon.sidecar")
	if err == nil {
		err = c.run(ctx, std, log)
	}
	switch {
	case errors.Is(err, errOverdue):
		log.LogAttrs(ctx, levelFatal, "Graceful shutdown timeout exceeded, forcing shutdown")
		return errInLog
	case err != nil:
		log.LogAttrs(ctx, levelFatal, "the sidecar ended", slog.Any("err", err))
		if inFile {
			fmt.Fprintf(std.Err, "carillon: %v\n", err)
		}
		return errInLog
	}
	log.LogAttrs(ctx, slog.LevelInfo, "Daprd shutdown gracefully")
	return nil
}

func (c *sidecarConfig) run(ctx context.Context, std stdio, log *slog.Logger) error {
	cfg, err := c.node(std)
	if err != nil {
		return err
	}
	shares, release, err := c.memory.apply(ctx, memory.Sidecar, std, log)
	if err != nil {
		return err
	}
	defer release()
	cfg.Memory = shares
	cfg.Descriptors = divideDescriptors(ctx, descriptors.Parts{Sidecar: true}, log)
	if err := c.secure(&cfg, std, log); err != nil {
		return err
	}
	l, err := c.listen(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	forced := make(chan struct{})
	force := sync.OnceFunc(func() { close(forced) })
	cfg.Sidecar.Shutdown = func(byForce bool) {
		if byForce {
			force()
		} else {
			stop(errRequested)
		}
	}
	cfg.OnListening = listening(cfg.Sidecar, l, log)
	node, err := app.OpenSidecar(cfg, l, log)
	if err != nil {
		return err
	}
	warnSidecar(ctx, cfg.Sidecar, l, log)
	return c.supervise(ctx, node.Run, forced, log)
}
