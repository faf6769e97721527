//go:build linux

package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process is one that a test has started. It is ended with the test at the latest.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended

	mu   sync.Mutex // guards the field below
	said []byte     // the last of it
}

// start starts a process. What it says is shown if the test fails.
func start(t *testing.T, name string, argv ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	p.cmd.Env = []string{} // no CARILLON_ variables
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // its state tells
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
		if t.Failed() {
			t.Logf("%s, process %d, %v, said:\n%s", name, p.cmd.Process.Pid, p.cmd.ProcessState, p.output())
		}
	})
	return p
}

// Write is [io.Writer.Write]: it keeps what the process says.
func (p *process) Write(b []byte) (int, error) {
	const most = 64 << 10
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, b...)
	p.said = p.said[max(0, len(p.said)-most):]
	return len(b), nil
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.said)
}

// says waits until the process has said what the pattern matches, and returns what its first group found.
func (p *process) says(t *testing.T, pattern string) string {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	var found []string
	eventually(t, fmt.Sprintf("%s says %q", p.name, pattern), func(context.Context) error {
		if found = wanted.FindStringSubmatch(p.output()); found == nil {
			return fmt.Errorf("it says %q", last(p.output()))
		}
		return nil
	})
	return found[len(found)-1]
}

func last(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func (p *process) signal(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s) // it may have ended
}

// wait waits until the process has ended, and returns its exit code, -1 if it was killed.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatalf("%s did not end within %v", p.name, patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// eventually fails the test unless do succeeds before patience ends, and returns how long that took.
func eventually(t *testing.T, what string, do func(ctx context.Context) error) time.Duration {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := do(ctx)
		switch {
		case err == nil:
			return time.Since(begin)
		case ctx.Err() != nil:
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
