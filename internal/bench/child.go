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
	"time"
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

// A child is a process that this one has started. It ends when its standard input is closed.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	said  *tail
	ended chan error
	// lost counts how often a node has said that it lost its lease, or could not get one.
	lost atomic.Int64
	// found are what the patterns of start have matched, in their order.
	found []string
}

// start starts a process with the arguments after [Config].Command, and returns when each of the patterns has matched a
// line of its standard output. The first group of a pattern is what is found. It lives until it is stopped or ctx ends.
func (b *bench) start(ctx context.Context, patterns []string, args ...string) (*child, error) {
	command := b.cfg.Command
	if b.cfg.ProfileDir != "" {
		b.children++
		profile := filepath.Join(b.cfg.ProfileDir, fmt.Sprintf("%02d-%s.pprof", b.children, args[0]))
		command = append(slices.Clip(command), "--cpuprofile", profile)
	}
	command = append(slices.Clip(command), args...)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = b.cfg.Env
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, stdin: stdin, said: &tail{}, ended: make(chan error, 1)}
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

// stop asks the process to end and waits until it has; after a while it is killed.
func (c *child) stop() error {
	_ = c.stdin.Close()
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

// kill ends the process at once, as a crash would, and waits until it is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	err := <-c.ended
	c.ended <- err
	_ = c.stdin.Close()
}

func (c *child) process() process { return process(c.cmd.Process.Pid) }

// A tail is the last of what a process has said. It is safe for concurrent use.
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
