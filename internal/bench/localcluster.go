package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// localCluster is the schedulers of a cluster on this machine.
type localCluster struct {
	*client   // of all nodes, in turns
	nodes     []*clusterNode
	cpuPerJob []float64 // processor time of all nodes per job in each round, in microseconds
}

// clusterNode is a node of a localCluster.
type clusterNode struct {
	id, dir string
	args    []string // of the command line
	address string
	child   *child
}

// startCluster starts the configured number of schedulers, and returns when all are members.
func (b *bench) startCluster(ctx context.Context) (*localCluster, error) {
	b.progress("starting the nodes")
	n := b.cfg.Nodes
	ports, err := freePorts(ctx, 3*n)
	if err != nil {
		return nil, err
	}
	var members []string
	f := &localCluster{}
	for i := range n {
		id := string(rune('a' + i))
		dir, err := b.newDir("node-" + id)
		if err != nil {
			return nil, err
		}
		peer, client, service := ports[3*i], ports[3*i+1], ports[3*i+2]
		members = append(members, fmt.Sprintf("%s=http://127.0.0.1:%d", id, peer))
		f.nodes = append(f.nodes, &clusterNode{id: id, dir: dir, address: fmt.Sprintf("127.0.0.1:%d", service), args: []string{
			"scheduler", "--id", id, "--etcd-data-dir", dir, "--listen-address", "127.0.0.1", "--port", fmt.Sprint(service),
			"--healthz-listen-address", "127.0.0.1", "--healthz-port", "0", "--enable-metrics=false",
			"--etcd-client-port", fmt.Sprint(client),
		}})
	}
	for _, node := range f.nodes {
		node.args = append(node.args, "--etcd-initial-cluster", strings.Join(members, ","))
	}
	g := errgroup.Group{}
	for _, node := range f.nodes {
		g.Go(func() error { return b.startNode(ctx, node) })
	}
	err = g.Wait()
	if err == nil {
		f.client, err = b.dial(f.addresses()...)
	}
	if err == nil {
		err = f.waitMembers(ctx, n)
	}
	if err != nil {
		return nil, errors.Join(err, f.stop())
	}
	return f, nil
}

func (b *bench) startNode(ctx context.Context, n *clusterNode) (err error) {
	n.child, err = b.startCarillon(ctx, []string{`msg=listening .*\bscheduler=(\S+)`}, n.args...)
	return err
}

func (f *localCluster) addresses() []string {
	var all []string
	for _, n := range f.nodes {
		all = append(all, n.address)
	}
	return all
}

// waitMembers returns when every node announces n members.
func (f *localCluster) waitMembers(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for i := range f.nodes {
		for {
			hosts, err := hostsOf(ctx, f.stubs[i])
			if err == nil && len(hosts) == n {
				break
			}
			if err := until(ctx, time.Now().Add(50*time.Millisecond)); err != nil {
				return fmt.Errorf("wait until the nodes form a cluster: %w", err)
			}
		}
	}
	return nil
}

// stop stops all nodes and removes their data.
func (f *localCluster) stop() error {
	var errs []error
	if f.client != nil {
		errs = append(errs, f.close())
	}
	for _, n := range f.nodes {
		if n.child != nil {
			n.child.terminate() // all at once: the last ones would have no majority
		}
	}
	for _, n := range f.nodes {
		if n.child != nil {
			errs = append(errs, n.child.stop())
		}
		errs = append(errs, os.RemoveAll(n.dir))
	}
	return errors.Join(errs...)
}

// freePorts returns n free loopback ports.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	var ports []int
	for range n {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		held, ports = append(held, l), append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// cpu returns the processor time that all nodes have used.
func (f *localCluster) cpu() (used time.Duration) {
	for _, n := range f.nodes {
		used += n.child.process().cpu()
	}
	return used
}
