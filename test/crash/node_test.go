package crash_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"carillon/internal/logtest"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// A node is a running scheduler.
type node struct {
	cmd                      *exec.Cmd
	address, health, metrics string
	said                     logtest.Page
	ended                    chan struct{} // closed when it has ended and all that it said has been heard
	err                      error         // how it ended; to be read after ended
}

// launch starts a scheduler on the data in dir and returns when it listens or has ended, which is an error. It lives
// until it is ended or the test is.
func launch(t *testing.T, dir string) (*node, error) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	n := &node{ended: make(chan struct{})}
	n.cmd = exec.Command(path, "scheduler", "--listen-address", "127.0.0.1", "--port", "0", "--healthz-listen-address", "127.0.0.1",
		"--healthz-port", "0", "--metrics-port", "0", "--etcd-data-dir", dir)
	n.cmd.Env = []string{}
	n.cmd.Stderr = &n.said
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			t.Logf("node %d ended with %v and said:\n%s", n.cmd.Process.Pid, n.err, n.said.String())
		}
	})
	listening := make(chan []string, 1)
	go n.listen(stdout, listening)
	select {
	case found := <-listening:
		n.address, n.health, n.metrics = found[0], found[1], found[2]
		return n, nil
	case <-n.ended:
		return nil, fmt.Errorf("the node ended with %w and said:\n%s", n.err, n.said.String())
	case <-time.After(patience):
		return nil, errors.New("the node does not say where it listens")
	}
}

// start is launch for a node that has to come up.
func start(t *testing.T, dir string) *node {
	t.Helper()
	n, err := launch(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// listen keeps what the process says until it has ended.
func (n *node) listen(stdout io.Reader, listening chan<- []string) {
	pattern := regexp.MustCompile(`sidecars_use=(\S+) .*healthz=(\S+) .*metrics=(\S+)`)
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		_, _ = n.said.Write([]byte(line))
		if m := pattern.FindStringSubmatch(line); m != nil {
			listening <- m[1:]
		}
		if err != nil {
			break
		}
	}
	n.err = n.cmd.Wait()
	close(n.ended)
}

// kill ends the process at once, as nothing it has could prevent, and waits until it is gone.
func (n *node) kill() {
	_ = n.cmd.Process.Kill()
	<-n.ended
}

// stop ends it in good order.
func (n *node) stop(t *testing.T) {
	t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-n.ended:
		if n.err != nil {
			t.Errorf("a node that was stopped ended with %v", n.err)
		}
	case <-time.After(patience):
		t.Error("the node does not stop")
	}
}

// get returns what the node answers over HTTP.
func get(ctx context.Context, address, path string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// healthy reports whether the node says that it is well, and what it says.
func (n *node) healthy(ctx context.Context) (ok bool, says string) {
	status, body, err := get(ctx, n.health, "/healthz")
	if err != nil {
		return false, err.Error()
	}
	return status == http.StatusOK, body
}

// metric returns the value of a metric without labels.
func (n *node) metric(t *testing.T, name string) float64 {
	t.Helper()
	_, body, err := get(t.Context(), n.metrics, "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(body) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("the node has no metric %s", name)
	return 0
}

// connect returns a client of the node, whose connection is closed when the test ends.
func (n *node) connect(t *testing.T) schedulerv1.SchedulerClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+n.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return schedulerv1.NewSchedulerClient(conn)
}
