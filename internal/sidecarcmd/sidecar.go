// Package sidecarcmd is the command that runs the sidecar of an app in the place of daprd. It takes daprd's
// flags, refuses what daprd refuses, in its words, and logs errors to standard output, as daprd does.
package sidecarcmd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"sync"

	"github.com/spf13/cobra"

	"carillon/internal/app"
	"carillon/internal/command"
	"carillon/internal/descriptors"
	"carillon/internal/exit"
	"carillon/internal/memory"
	"carillon/internal/nodecmd"
	"carillon/internal/roleflag"
	"carillon/internal/terminal"
)

// New returns the command.
func New(std *terminal.Streams) *cobra.Command {
	return command.Role(&cobra.Command{
		Use: "sidecar [flags]", Short: "run the jobs API for an app: a drop-in replacement for daprd",
		RunE: func(c *cobra.Command, args []string) error { return runSidecar(c.Context(), args, std) },
	}, usage, Flags)
}

// Flags returns the flags of the command.
func Flags() *flag.FlagSet {
	fs, _ := sidecarFlags()
	return fs
}

// runSidecar runs a sidecar node until ctx ends.
func runSidecar(ctx context.Context, args []string, std *terminal.Streams) error {
	fs, c := sidecarFlags()
	if err := roleflag.Parse(fs, usage, args, std); err != nil {
		return err
	}
	switch {
	case bool(c.printVersion):
		_, err := fmt.Fprintln(std.Out, nodecmd.DaprVersion)
		return err
	case bool(c.printBuild):
		version, revision := nodecmd.BuildVersion()
		_, err := fmt.Fprintf(std.Out, "Version: %s\nGit Commit: %s\nGit Version: %s\n", nodecmd.DaprVersion, revision, version)
		return err
	case bool(c.wait):
		return c.await(ctx, std)
	}
	log, closeLog, err := c.log.Open(std.Out)
	inFile := err == nil && c.log.File != ""
	if err != nil {
		plain := nodecmd.LogFlags{Level: "info", JSON: c.log.JSON}
		log, closeLog, _ = plain.Open(std.Out) // which cannot fail
	}
	defer closeLog()
	log = nodecmd.AsDapr(log.With(slog.String("app_id", c.appID)), "carillon.sidecar")
	if err == nil {
		err = c.run(ctx, std, log)
	}
	switch {
	case errors.Is(err, errOverdue):
		log.LogAttrs(ctx, nodecmd.LevelFatal, "Graceful shutdown timeout exceeded, forcing shutdown")
		return exit.ErrLogged
	case err != nil:
		log.LogAttrs(ctx, nodecmd.LevelFatal, "the sidecar ended", slog.Any("err", err))
		if inFile {
			fmt.Fprintf(std.Err, "carillon: %v\n", err)
		}
		return exit.ErrLogged
	}
	log.LogAttrs(ctx, slog.LevelInfo, "Daprd shutdown gracefully")
	return nil
}

func (c *sidecarOptions) run(ctx context.Context, std *terminal.Streams, log *slog.Logger) error {
	cfg, err := c.node(std)
	if err != nil {
		return err
	}
	shares, release, err := c.memory.Apply(ctx, memory.Sidecar, std, log)
	if err != nil {
		return err
	}
	defer release()
	cfg.Memory = shares
	cfg.Descriptors = nodecmd.DivideDescriptors(ctx, descriptors.Parts{Sidecar: true}, log)
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
