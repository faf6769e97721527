//go:build linux

package cluster

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// payload is what the jobs of sidecars carry.
const payload = "what nobody is to read"

// A sidecar is one in a process, with an app that notes in the ledger what comes.
type sidecar struct {
	c   *cluster
	app string
	api string // where its HTTP API is
}

// sidecar runs a sidecar of the app until the test ends.
func (c *cluster) sidecar(app string, flags ...string) *sidecar {
	c.t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(r.URL.Path, "/job/"); ok {
			c.ledger.deliver(app+"/"+name, "", time.Now())
		}
	}))
	c.t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		c.t.Fatal(err)
	}
	p := start(c.t, "the sidecar of "+app, append([]string{
		binary, "sidecar", "--app-id", app, "--app-port", port,
		"--dapr-listen-addresses", "127.0.0.1", "--dapr-http-port", "0", "--dapr-grpc-port", "0", "--enable-metrics=false",
		"--scheduler-host-address", strings.Join(c.addresses(), ","),
	}, flags...)...)
	return &sidecar{c: c, app: app, api: "http://" + p.says(c.t, `HTTP server is running on port.* address=(\S+)`)}
}

// schedule schedules a job that is due once.
func (s *sidecar) schedule(ctx context.Context, name string, due time.Time) error {
	job := s.app + "/" + name
	s.c.ledger.plan(job, due, 0, 1)
	body := fmt.Sprintf(`{"dueTime": %q, "data": %q}`, due.UTC().Format(time.RFC3339Nano), payload)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.api+"/v1.0-alpha1/jobs/"+name, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s, %w", resp.Status, answer, err)
	}
	s.c.ledger.ack(job)
	return nil
}

func TestSidecarsFollowRollingRestartAndKill(t *testing.T) {
	long(t)
	t.Parallel()
	c := newCluster(t, 3)
	ctx, end := context.WithCancel(t.Context())
	var users sync.WaitGroup
	var mu sync.Mutex
	failed, such := 0, error(nil)
	for _, s := range []*sidecar{c.sidecar("one"), c.sidecar("two")} {
		for u := range 3 {
			users.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					err := s.schedule(ctx, fmt.Sprintf("%d-%d", u, i), time.Now().Add(rand.N(2*time.Second)))
					if err != nil && ctx.Err() == nil {
						mu.Lock()
						failed, such = failed+1, err
						mu.Unlock()
					}
					pause(ctx, rand.N(40*time.Millisecond))
				}
			})
		}
	}
	time.Sleep(2 * time.Second)
	for _, n := range c.nodes {
		n.stop()
		n.start()
		c.healthy()
		time.Sleep(time.Second)
	}
	at := time.Now()
	c.nodes[0].kill()
	time.Sleep(5 * time.Second)
	logf(t, "kill -9 under sidecars: the latest trigger was late by %v", c.ledger.latest(at, time.Now()))
	c.nodes[0].start()
	c.healthy()
	c.ledger.settle(c.nodes[0].id)
	end()
	users.Wait()
	t.Logf("%d calls of the sidecars failed, such as: %v", failed, such)
	c.close()
}
