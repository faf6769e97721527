package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"carillon/internal/profile"
)

// startCarillon starts [Config].Carillon with the arguments, as start does.
func (b *bench) startCarillon(ctx context.Context, patterns []string, args ...string) (*child, error) {
	return b.start(ctx, patterns, b.cfg.Carillon, args)
}

// startChild starts [Config].Child with the arguments, as start does, and waits for its address.
func (b *bench) startChild(ctx context.Context, args ...string) (*child, error) {
	child := b.cfg.Child
	return b.start(ctx, []string{`^listening on (\S+)`}, child[0], slices.Concat(child[1:], args))
}

// start starts a process, and returns when each pattern has matched a line of its standard output.
// The first group of each pattern is its match. The process lives until it is stopped, ctx ends, or
// this process ends.
func (b *bench) start(ctx context.Context, patterns []string, program string, args []string) (*child, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = b.cfg.Env
	if b.cfg.ProfileDir != "" {
		b.children++
		file := filepath.Join(b.cfg.ProfileDir, fmt.Sprintf("%02d-%s.pprof", b.children, args[0]))
		cmd.Env = append(slices.Clip(cmd.Env), profile.Env+"="+file)
	}
	endWithParent(cmd)
	c := &child{cmd: cmd, output: &outputTail{}, ended: make(chan error, 1)}
	stdout, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, c.output
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		stdout.Close()
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	go func() { c.ended <- cmd.Wait() }()
	ready := make(chan []string, 1)
	go c.listen(stdout, patterns, ready)
	timeout := time.NewTimer(startTime)
	defer timeout.Stop()
	select {
	case c.matches = <-ready:
		return c, nil
	case err := <-c.ended:
		c.ended <- err
		return nil, fmt.Errorf("start %s: it ended (%w); its output:\n%s", args[0], errors.Join(err, ctx.Err()), c.output)
	case <-timeout.C:
		c.kill()
		return nil, fmt.Errorf("start %s: it has not printed its address after %v; its output:\n%s", args[0], startTime, c.output)
	}
}
