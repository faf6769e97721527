//go:build linux

package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// A cluster is nodes that are processes, and what is known of them.
type cluster struct {
	t      *testing.T
	nodes  []*node
	ledger *ledger
	net    *network // nil: loopback

	mu    sync.Mutex // guards the field below
	conns map[string]*grpc.ClientConn
}

// A node is one of them, running or not.
type node struct {
	c              *cluster
	id, host, dir  string
	port           int // of the Scheduler service
	health         int
	metrics        int
	client, peer   int // of its etcd
	program        string
	wrap           []string // what its command line begins with
	flags          []string // of its own
	p              *process // the latest; nil before the first
	redelivered    float64  // by those before
	spare, besides bool     // it is in no list of members; it is not started with the others
}

// A setting changes a cluster before it starts.
type setting func(c *cluster)

// with gives all nodes these flags.
func with(flags ...string) setting {
	return func(c *cluster) {
		for _, n := range c.nodes {
			n.flags = append(n.flags, flags...)
		}
	}
}

// newCluster starts a cluster of so many nodes, each in a process and with a folder of its own, and waits until all are
// healthy.
func newCluster(t *testing.T, size int, settings ...setting) *cluster {
	t.Helper()
	c := prepare(t, size, settings...)
	for _, n := range c.nodes {
		if !n.besides {
			n.start()
		}
	}
	took := c.healthy()
	t.Logf("%d nodes were healthy after %v", size, took)
	if took > patience/12 {
		for _, n := range c.nodes {
			t.Logf("node %s said:\n%s", n.id, n.p.output())
		}
	}
	return c
}

// prepare makes a cluster that is not started yet.
func prepare(t *testing.T, size int, settings ...setting) *cluster {
	t.Helper()
	c := &cluster{t: t, ledger: newLedger(), conns: map[string]*grpc.ClientConn{}}
	dir := folder(t)
	for i := range size {
		id := string(rune('a' + i))
		c.nodes = append(c.nodes, &node{
			c: c, id: id, program: binary, host: "127.0.0.1", dir: filepath.Join(dir, id),
			port: port(t), health: port(t), metrics: port(t), client: port(t), peer: port(t),
		})
	}
	for _, s := range settings {
		s(c)
	}
	t.Cleanup(func() {
		for _, conn := range c.conns {
			_ = conn.Close()
		}
	})
	return c
}

// folder returns a folder that is removed with the test: in memory, if that can be had, among the
// daily tests. They share the disk with others, and nothing here cuts the power.
func folder(t *testing.T) string {
	t.Helper()
	if everything() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "cluster") //nolint:usetesting // not there
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// portsGiven are the ports that the tests have been given, so that none is given twice.
var portsGiven sync.Map

// port returns an unused port of loopback outside the range of ephemeral ports.
func port(t *testing.T) int {
	t.Helper()
	for range 100 {
		n := 10_000 + rand.IntN(20_000)
		if _, given := portsGiven.LoadOrStore(n, true); given {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n)))
		if err == nil {
			l.Close()
			return n
		}
	}
	t.Fatal("no port is free")
	return 0
}

// members is the list of members that each node is given.
func (c *cluster) members(scheme string) string {
	var all []string
	for _, n := range c.nodes {
		if !n.spare {
			all = append(all, fmt.Sprintf("%s=%s://%s:%d", n.id, scheme, n.host, n.peer))
		}
	}
	return strings.Join(all, ",")
}

// start starts the node, and returns when it listens.
func (n *node) start() {
	n.c.t.Helper()
	n.launch()
	n.p.says(n.c.t, "msg=listening")
}

// launch starts the node.
func (n *node) launch() {
	n.c.t.Helper()
	args := append([]string{}, n.wrap...)
	args = append(args, n.program, "scheduler", "--id", n.id, "--etcd-data-dir", n.dir,
		"--listen-address", n.host, "--port", strconv.Itoa(n.port),
		"--override-broadcast-host-port", n.address(),
		"--healthz-listen-address", n.host, "--healthz-port", strconv.Itoa(n.health),
		"--metrics-listen-address", n.host, "--metrics-port", strconv.Itoa(n.metrics))
	args = append(args, n.flags...)
	given := strings.Join(n.flags, " ")
	if !strings.Contains(given, "--etcd-initial-cluster") {
		args = append(args, "--etcd-initial-cluster", n.c.members("http"))
	}
	if !strings.Contains(given, "--etcd-embed=false") {
		args = append(args, "--etcd-client-listen-address", n.host, "--etcd-client-port", strconv.Itoa(n.client))
	}
	n.p = start(n.c.t, "node "+n.id, args...)
}

// address is where its Scheduler service is.
func (n *node) address() string { return net.JoinHostPort(n.host, strconv.Itoa(n.port)) }

// kill ends the node at once, as a crash would.
func (n *node) kill() {
	n.c.t.Helper()
	n.count()
	n.c.ledger.disturb(n.id)
	n.p.signal(syscall.SIGKILL)
	n.p.wait(n.c.t)
}

// stop ends the node in good order, and returns how long that took.
func (n *node) stop() time.Duration {
	n.c.t.Helper()
	n.count()
	n.c.ledger.disturb(n.id)
	begin := time.Now()
	n.p.signal(syscall.SIGTERM)
	if code := n.p.wait(n.c.t); code != 0 {
		n.c.t.Errorf("node %s was stopped and ended with %d", n.id, code)
	}
	n.c.ledger.settle(n.id)
	return time.Since(begin)
}

// pause stops the node's time, as a machine does that swaps or is suspended.
func (n *node) pause() {
	n.c.ledger.disturb(n.id)
	n.p.signal(syscall.SIGSTOP)
}

// resume lets it go on.
func (n *node) resume() {
	n.p.signal(syscall.SIGCONT)
	n.c.ledger.settle(n.id)
}

// lose removes its folder.
func (n *node) lose() {
	n.c.t.Helper()
	if err := os.RemoveAll(n.dir); err != nil {
		n.c.t.Fatal(err)
	}
}

// count notes how many redeliveries the process has counted, before it ends.
func (n *node) count() {
	if v, err := n.metric("carillon_redeliveries_total"); err == nil {
		n.redelivered += v
	}
}

func (n *node) get(path string, on int) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(n.c.t.Context(), patience/3)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d%s", n.host, on, path), nil)
	if err != nil {
		return 0, "", err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// check returns what keeps the node from being healthy, or nil.
func (n *node) check() error {
	status, body, err := n.get("/healthz", n.health)
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("%d: %s", status, strings.TrimSpace(body))
	}
	return nil
}

// metric returns the value of a metric without labels.
func (n *node) metric(name string) (float64, error) {
	_, body, err := n.get("/metrics", n.metrics)
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(v, 64)
		}
	}
	return 0, fmt.Errorf("node %s has no metric %s", n.id, name)
}

// healthy waits until the nodes are healthy, all that are to run if none is named, and returns how long that took.
func (c *cluster) healthy(nodes ...*node) time.Duration {
	c.t.Helper()
	if len(nodes) == 0 {
		for _, n := range c.nodes {
			if !n.besides {
				nodes = append(nodes, n)
			}
		}
	}
	return eventually(c.t, "all are healthy", func(context.Context) error {
		for _, n := range nodes {
			if err := n.check(); err != nil {
				return fmt.Errorf("node %s: %w", n.id, err)
			}
		}
		return nil
	})
}

// joined waits until the node says that it has joined the cluster since that instant, and returns
// when it did. From then on it may own what it fires, and fire again what another had out.
func (n *node) joined(since time.Time) (at time.Time) {
	n.c.t.Helper()
	line := regexp.MustCompile(`time="(\S+)" level=info msg="joined the cluster"`)
	eventually(n.c.t, "node "+n.id+" joins again", func(context.Context) error {
		for _, m := range line.FindAllStringSubmatch(n.p.output(), -1) {
			var err error
			if at, err = time.Parse(time.RFC3339Nano, m[1]); err != nil {
				return err
			}
			if at.After(since) {
				return nil
			}
		}
		return errors.New("it does not say so")
	})
	return at
}

// unhealthy waits until the node says that it is not healthy, and returns how long that took.
func (n *node) unhealthy() time.Duration {
	n.c.t.Helper()
	return eventually(n.c.t, "node "+n.id+" is unhealthy", func(context.Context) error {
		if status, _, err := n.get("/healthz", n.health); err != nil || status == http.StatusOK {
			return errors.Join(errors.New("it is healthy or says nothing"), err)
		}
		return nil
	})
}
