//go:build linux

package overload

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"carillon/internal/bench"
)

// A process is one that a test has started. It is ended with the test at the latest.
type process struct {
	cmd   *exec.Cmd
	stop  func()        // asks it to end, and waits until it has
	ended chan struct{} // closed when it has ended

	mu   sync.Mutex // guards the fields below
	said []byte     // the last of it
	lost int        // how often it said that it has no lease
}

// start starts a process. What it says is shown if the test fails.
func start(t *testing.T, name string, argv ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	p.cmd.Env = []string{} // no CARILLON_ variables
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stderr = p
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.stop = func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(patience / 2):
			_ = p.cmd.Process.Kill()
			<-p.ended
		}
	}
	go func() {
		defer close(p.ended)
		for lines := bufio.NewReader(stdout); ; {
			line, err := lines.ReadString('\n')
			_, _ = p.Write([]byte(line))
			if err != nil {
				break
			}
		}
		_ = p.cmd.Wait() // its state tells
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%s, process %d, %v, said:\n%s", name, p.cmd.Process.Pid, p.cmd.ProcessState, p.output())
		}
	})
	return p
}

// Write is [io.Writer.Write]: it keeps what the process says.
func (p *process) Write(b []byte) (int, error) {
	const most = 8 << 10
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost += strings.Count(string(b), "not a member of the cluster")
	p.said = append(p.said, b...)
	p.said = p.said[max(0, len(p.said)-most):]
	return len(b), nil
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.said)
}

func (p *process) leasesLost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// says waits until the process has said what the pattern matches, and returns what its first group found.
func (p *process) says(t *testing.T, pattern string) string {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	var found []string
	eventually(t, "a process says "+pattern, patience, func(context.Context) error {
		select {
		case <-p.ended:
			t.Fatalf("a process has ended, %v, and said:\n%s", p.cmd.ProcessState, p.output())
		default:
		}
		if found = wanted.FindStringSubmatch(p.output()); found == nil {
			return errors.New("not yet")
		}
		return nil
	})
	return found[1]
}

// A node is a scheduler in a cgroup of its own, or in none.
type node struct {
	*process
	address string
	group   *group // nil if none can be made
}

// startNodes starts that many schedulers, each with a limit of its memory in bytes, as one cluster
// if there are several.
func startNodes(t *testing.T, count int, limit int64) []*node {
	t.Helper()
	var members []string
	peers, clients, services := ports(t, count), ports(t, count), ports(t, count)
	for i := range count {
		members = append(members, fmt.Sprintf("%c=http://127.0.0.1:%d", 'a'+i, peers[i]))
	}
	nodes := make([]*node, count)
	for i := range nodes {
		args := []string{
			program, "scheduler", "--listen-address", "127.0.0.1", "--port", strconv.Itoa(services[i]),
			"--healthz-listen-address", "127.0.0.1", "--healthz-port", "0", "--enable-metrics=false",
			"--etcd-data-dir", filepath.Join(t.TempDir(), "data"),
		}
		if count > 1 {
			args = append(args, "--id", string(rune('a'+i)), "--etcd-initial-cluster", strings.Join(members, ","),
				"--etcd-client-port", strconv.Itoa(clients[i]))
		}
		n := &node{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(services[i]))}
		var err error
		if n.group, err = newGroup(t, string(rune('a'+i)), limit); err == nil {
			args = n.group.wrap(args)
		} else {
			t.Logf("nothing but --memory-limit keeps the node within %d MiB (known: %v): %v", limit>>20, limitIsKnown, err)
			if limitIsKnown {
				args = append(args, "--memory-limit", fmt.Sprintf("%dMi", limit>>20))
			}
		}
		n.process = start(t, "node "+string(rune('a'+i)), args...)
		nodes[i] = n
	}
	for _, n := range nodes {
		n.says(t, `(msg=listening)`)
	}
	return nodes
}

// ports returns unused ports of loopback.
func ports(t *testing.T, count int) (all []int) {
	t.Helper()
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		all = append(all, l.Addr().(*net.TCPAddr).Port)
	}
	return all
}

// apps are apps that receive triggers, in a process.
type apps struct {
	*process
	cfg     bench.AppsConfig
	address string
}

// serve starts the process, and returns when the apps are connected.
func serve(t *testing.T, cfg bench.AppsConfig) *apps {
	t.Helper()
	argv := []string{
		benchProgram, "child", bench.Apps, "--prefix", cfg.Prefix, "--apps", strconv.Itoa(cfg.Apps), "--jobs", strconv.Itoa(cfg.Jobs),
		"--answer", cfg.Answer, "--due", cfg.Due.UTC().Format(time.RFC3339Nano), "--interval", cfg.Interval.String(),
	}
	for _, s := range cfg.Schedulers {
		argv = append(argv, "--scheduler", s)
	}
	a := &apps{process: start(t, "apps "+cfg.Prefix, argv...), cfg: cfg}
	a.address = a.says(t, `(?m)^listening on (\S+)$`)
	eventually(t, "apps are connected", patience, func(ctx context.Context) error {
		if tally := a.tally(ctx, t); tally.Streams < cfg.Apps*len(cfg.Schedulers) {
			return fmt.Errorf("%d streams are open", tally.Streams)
		}
		return nil
	})
	return a
}

// tally asks what came.
func (a *apps) tally(ctx context.Context, t *testing.T) (tally bench.Received) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&tally); err != nil {
		t.Fatal(err)
	}
	return tally
}

// await waits until each job came, or none came for long, and returns what came.
func (a *apps) await(t *testing.T, patience time.Duration) bench.Received {
	t.Helper()
	last := a.tally(t.Context(), t)
	for since := time.Now(); last.Jobs < a.cfg.Jobs && time.Since(since) < patience; {
		time.Sleep(50 * time.Millisecond)
		now := a.tally(t.Context(), t)
		if now.Jobs > last.Jobs {
			since = time.Now()
		}
		last = now
	}
	return last
}
