package bench

import (
	"context"
	"errors"
	"os"
	"time"
)

// A measuredServer is a Scheduler service under test.
type measuredServer struct {
	*client
	process    process
	child      *child // nil if it was already running
	address    string
	management string // address of the management API; "" if it was already running
	dir        string // data directory; "" if it was already running
}

// emptyScheduler starts a scheduler without jobs, or returns the running one of the configuration.
func (b *bench) emptyScheduler(ctx context.Context) (*measuredServer, error) {
	if b.cfg.Scheduler != "" {
		c, err := b.dialCluster(ctx, b.cfg.Scheduler)
		return &measuredServer{client: c, process: process(b.cfg.PID), address: b.cfg.Scheduler}, err
	}
	dir, err := b.newDir("scheduler")
	if err != nil {
		return nil, err
	}
	return b.startScheduler(ctx, dir, "0")
}

// dialCluster returns a client of all servers of the cluster to which the server at the address
// belongs, or of that server alone.
func (b *bench) dialCluster(ctx context.Context, address string) (*client, error) {
	c, err := b.dial(address)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	hosts, err := hostsOf(bounded, c.stubs[0])
	if err != nil || len(hosts) < 2 { // a single node, or a server without that call
		return c, nil // if the server does not work, the measures fail
	}
	if err := c.close(); err != nil {
		return nil, err
	}
	return b.dial(hosts...)
}

// startScheduler starts a scheduler with that data directory and port.
func (b *bench) startScheduler(ctx context.Context, dir, port string) (*measuredServer, error) {
	listening := []string{`msg=listening .*\bscheduler=(\S+)`, `msg=listening .*\bmanagement=(\S+)`}
	c, err := b.startCarillon(ctx, listening, "scheduler", "--management-port", "0",
		"--listen-address", "127.0.0.1", "--port", port, "--healthz-listen-address", "127.0.0.1", "--healthz-port", "0",
		"--enable-metrics=false", "--etcd-data-dir", dir)
	if err != nil {
		return nil, err
	}
	t := &measuredServer{process: c.process(), child: c, address: c.matches[0], management: c.matches[1], dir: dir}
	if t.client, err = b.dial(t.address); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return t, nil
}

// stop stops a scheduler that this run has started, and removes its data.
func (t *measuredServer) stop() error {
	err := t.close()
	if t.child == nil {
		return err
	}
	return errors.Join(err, t.child.stop(), os.RemoveAll(t.dir))
}

// withScheduler calls f with an empty scheduler, and stops it.
func (b *bench) withScheduler(ctx context.Context, f func(t *measuredServer) ([]RowResult, error)) ([]RowResult, error) {
	t, err := b.emptyScheduler(ctx)
	if err != nil {
		return nil, err
	}
	results, err := f(t)
	return results, errors.Join(err, t.stop())
}

// cleanUp deletes the jobs of the app from a server that was already running.
func (t *measuredServer) cleanUp(ctx context.Context, app string) error {
	if t.child != nil {
		return nil
	}
	return t.deleteJobs(ctx, app)
}
