package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"golang.org/x/sync/errgroup"
)

// fleet is the schedulers of a cluster on this machine.
type fleet struct {
	*client // of all of them, in turns
	nodes   []*fleetNode
	used    []float64 // processor time of all for each job, in microseconds, in each round
}

// fleetNode is one of them.
type fleetNode struct {
	id, dir string
	args    []string // what it is started with
	address string
	child   *child
}

// fleet starts as many schedulers as the configuration says, and returns when all of them are members.
func (b *bench) fleet(ctx context.Context) (*fleet, error) {
	b.progress("starting the nodes")
	n := b.cfg.Nodes
	ports, err := freePorts(ctx, 3*n)
	if err != nil {
		return nil, err
	}
	var members []string
	f := &fleet{}
	for i := range n {
		id := string(rune('a' + i))
		dir, err := b.folder("node-" + id)
		if err != nil {
			return nil, err
		}
		peer, client, service := ports[3*i], ports[3*i+1], ports[3*i+2]
		members = append(members, fmt.Sprintf("%s=http://127.0.0.1:%d", id, peer))
		f.nodes = append(f.nodes, &fleetNode{id: id, dir: dir, address: fmt.Sprintf("127.0.0.1:%d", service), args: []string{
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
		err = f.await(ctx, n)
	}
	if err != nil {
		return nil, errors.Join(err, f.stop())
	}
	return f, nil
}

func (b *bench) startNode(ctx context.Context, n *fleetNode) (err error) {
	n.child, err = b.startCarillon(ctx, []string{`msg=listening .*\bscheduler=(\S+)`}, n.args...)
	return err
}

func (f *fleet) addresses() []string {
	var all []string
	for _, n := range f.nodes {
		all = append(all, n.address)
	}
	return all
}

// await returns when every node tells sidecars of that many.
func (f *fleet) await(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for i := range f.nodes {
		for {
			hosts, err := hostsOf(ctx, f.on[i])
			if err == nil && len(hosts) == n {
				break
			}
			if err := until(ctx, time.Now().Add(50*time.Millisecond)); err != nil {
				return fmt.Errorf("the nodes do not become a cluster: %w", err)
			}
		}
	}
	return nil
}

// hostsOf returns the addresses at which a server says that sidecars find the schedulers.
func hostsOf(ctx context.Context, c schedulerv1.SchedulerClient) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.WatchHosts(ctx, new(schedulerv1.WatchHostsRequest))
	if err != nil {
		return nil, err
	}
	m, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, h := range m.GetHosts() {
		hosts = append(hosts, h.GetAddress())
	}
	return hosts, nil
}

// stop ends all nodes and removes their data.
func (f *fleet) stop() error {
	var errs []error
	if f.client != nil {
		errs = append(errs, f.close())
	}
	for _, n := range f.nodes {
		if n.child != nil {
			n.child.terminate() // all at once: the last ones have no majority
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

// freePorts returns free loopback ports.
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

// across measures what several nodes acknowledge: row 14.
func (b *bench) across(ctx context.Context) (results []RowResult, err error) {
	f, err := b.fleet(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	echo, err := b.unary(ctx, NullEcho)
	if err != nil {
		return nil, err
	}
	defer func() { _ = echo.close() }()
	all := &target{client: f.client}
	app, acknowledged, round := b.app(), 0, 0
	b.progress("warming up") // the first second after a start costs a node up to twice as much as the later ones
	l, err := b.farFrom(ctx, all, app, round)
	if err != nil {
		return nil, err
	}
	round, acknowledged = round+1, l.total
	s, err := b.between(ctx,
		func(ctx context.Context) (float64, error) {
			b.progress("unary echo")
			l, err := b.far(ctx, echo, b.app())
			return l.rate(), err
		},
		func(ctx context.Context) (float64, error) {
			b.progress("schedule")
			used := f.cpu()
			l, err := b.farFrom(ctx, all, app, round)
			round++
			acknowledged += l.total
			f.used = append(f.used, in(time.Microsecond, f.cpu()-used)/float64(max(l.total, 1)))
			return l.rate(), err
		})
	if err != nil {
		return nil, err
	}
	b.progress("counting what is stored")
	count, err := f.stored(ctx, app, acknowledged)
	if err != nil {
		return nil, err
	}
	r := s.into(RowResult{
		Row: 14, Measure: fmt.Sprintf("%d nodes on one machine: durable schedule, %d callers", b.cfg.Nodes, b.cfg.Callers),
		Unit: "/s", Bar: speed(atLeast(8000, 15_000)), Count: &count,
		Detail: []Figure{{"CPU of all nodes", median(f.used), "µs"}},
	}, "unary echo")
	r.Bar.OfValue = true
	return []RowResult{r}, nil
}

// cpu returns the processor time that all nodes have used.
func (f *fleet) cpu() (used time.Duration) {
	for _, n := range f.nodes {
		used += n.child.process().cpu()
	}
	return used
}
