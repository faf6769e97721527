package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"carillon/internal/profile"
)

const (
	// startTime is how long a process may take to say where it listens.
	startTime = 10 * time.Minute
	// stopTime is how long it may take to end when it is asked to.
	stopTime = 30 * time.Second
	// tailBytes is how much of what it says is kept for an error.
	tailBytes = 4 << 10
	// leaseLost is what a node's log says when its lease has ended (docs/alarms.md).
	leaseLost = "not a member of the cluster"
)

// child is a process that this one has started.
type child struct {
	cmd   *exec.Cmd
	said  *tail
	ended chan error
	asked bool // to end
	// lost counts how often a node has logged that it lost its lease, or could not get one.
	lost atomic.Int64
	// found are what the patterns of start have matched, in their order.
	found []string
}

// startCarillon starts [Config].Carillon with the arguments; see start.
func (b *bench) startCarillon(ctx context.Context, patterns []string, args ...string) (*child, error) {
	return b.start(ctx, patterns, b.cfg.Carillon, args)
}

// startChild starts [Config].Child with the arguments, and waits for its address; see start.
func (b *bench) startChild(ctx context.Context, args ...string) (*child, error) {
	child := b.cfg.Child
	return b.start(ctx, []string{`^listening on (\S+)`}, child[0], slices.Concat(child[1:], args))
}

// start starts a process, and returns when each of the patterns has matched a line of its standard output. The first group
// of a pattern is what is found. The process lives until it is stopped, ctx ends, or this process ends.
func (b *bench) start(ctx context.Context, patterns []string, program string, args []string) (*child, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = b.cfg.Env
	if b.cfg.ProfileDir != "" {
		b.children++
		file := filepath.Join(b.cfg.ProfileDir, fmt.Sprintf("%02d-%s.pprof", b.children, args[0]))
		cmd.Env = append(slices.Clip(cmd.Env), profile.Env+"="+file)
	}
	endWithParent(cmd)
	c := &child{cmd: cmd, said: &tail{}, ended: make(chan error, 1)}
	stdout, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, c.said
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
	case c.found = <-ready:
		return c, nil
	case err := <-c.ended:
		c.ended <- err
		return nil, fmt.Errorf("start %s: it ended (%w) and said:\n%s", args[0], errors.Join(err, ctx.Err()), c.said)
	case <-timeout.C:
		c.kill()
		return nil, fmt.Errorf("start %s: it does not say where it listens, but:\n%s", args[0], c.said)
	}
}

// listen reads what the process says until it ends, and sends what the patterns have found once each has.
func (c *child) listen(stdout io.ReadCloser, patterns []string, ready chan<- []string) {
	defer stdout.Close()
	found, missing := make([]string, len(patterns)), len(patterns)
	wanted := make([]*regexp.Regexp, len(patterns))
	for i, pattern := range patterns {
		wanted[i] = regexp.MustCompile(pattern)
	}
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		_, _ = c.said.Write([]byte(line))
		if strings.Contains(line, leaseLost) {
			c.lost.Add(1)
		}
		for i, pattern := range wanted {
			if missing == 0 || found[i] != "" {
				continue
			}
			if m := pattern.FindStringSubmatch(line); m != nil {
				found[i] = m[1]
				if missing--; missing == 0 {
					ready <- found
				}
			}
		}
		if err != nil {
			return
		}
	}
}

// terminate asks the process to stop. It does so once: a second signal would end it at once.
func (c *child) terminate() {
	if c.asked {
		return
	}
	c.asked = true
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.kill() // this system has no signals
	}
}

// stop asks the process to stop, waits for it, and kills it after a timeout.
func (c *child) stop() error {
	c.terminate()
	timeout := time.NewTimer(stopTime)
	defer timeout.Stop()
	select {
	case err := <-c.ended:
		c.ended <- err
		if err != nil {
			return fmt.Errorf("a server ended with %w and said:\n%s", err, c.said)
		}
		return nil
	case <-timeout.C:
		c.kill()
		return fmt.Errorf("a server did not stop within %v and was killed; it said:\n%s", stopTime, c.said)
	}
}

// kill ends the process like a crash, and waits until it has ended.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	err := <-c.ended
	c.ended <- err
}

func (c *child) process() process { return process(c.cmd.Process.Pid) }

// tail is the end of the output of a process. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu; at most tailBytes
}

// Write is [io.Writer.Write]; it never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-tailBytes):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
