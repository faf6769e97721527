package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// startTime is how long a process may take until it prints its address.
	startTime = 10 * time.Minute
	// stopTime is how long a process may take to end after SIGTERM.
	stopTime = 30 * time.Second
	// tailBytes is how much of the output of a process is kept for an error.
	tailBytes = 4 << 10
	// leaseLost is in a log line of a node whose lease has ended (docs/alarms.md).
	leaseLost = "not a member of the cluster"
)

// child is a process that this one has started.
type child struct {
	cmd         *exec.Cmd
	output      *outputTail
	ended       chan error
	terminating bool // it was sent SIGTERM
	// leasesLost counts the log lines of a node that lost its lease or could not get one.
	leasesLost atomic.Int64
	// matches are the matches of the patterns of start, in their order.
	matches []string
}

// listen reads the output of the process until it ends. It sends the matches once each pattern has
// one.
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
		_, _ = c.output.Write([]byte(line))
		if strings.Contains(line, leaseLost) {
			c.leasesLost.Add(1)
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

// terminate sends SIGTERM to the process. It does so once: a second signal would kill the process.
func (c *child) terminate() {
	if c.terminating {
		return
	}
	c.terminating = true
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.kill() // Windows has no signals
	}
}

// stop sends SIGTERM to the process, waits for it, and kills it after stopTime.
func (c *child) stop() error {
	c.terminate()
	timeout := time.NewTimer(stopTime)
	defer timeout.Stop()
	select {
	case err := <-c.ended:
		c.ended <- err
		if err != nil {
			return fmt.Errorf("stop a server: it ended with %w; its output:\n%s", err, c.output)
		}
		return nil
	case <-timeout.C:
		c.kill()
		return fmt.Errorf("stop a server: it did not end within %v and was killed; its output:\n%s", stopTime, c.output)
	}
}

// kill kills the process, as a crash does, and waits until it has ended.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	err := <-c.ended
	c.ended <- err
}

func (c *child) process() process { return process(c.cmd.Process.Pid) }

// outputTail is the end of the output of a process. It is safe for concurrent use.
type outputTail struct {
	mu   sync.Mutex
	text []byte // guarded by mu; at most tailBytes
}

// Write is [io.Writer.Write]; it never fails.
func (t *outputTail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-tailBytes):]
	return len(b), nil
}

func (t *outputTail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
