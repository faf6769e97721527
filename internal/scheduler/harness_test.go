package scheduler_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"carillon/internal/dispatch"
	"carillon/internal/identity"
	"carillon/internal/job"
	"carillon/internal/scheduler"
)

// Memory keeps jobs in a map and never fires them.
type memory struct {
	mu   sync.Mutex
	jobs map[job.Key]job.Spec
	fail error         // what every call returns, if set
	hold chan struct{} // what ScheduleAll's results wait for, if set
}

func (m *memory) Schedule(_ context.Context, k job.Key, s job.Spec, overwrite bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.jobs[k]; taken && !overwrite {
		return fmt.Errorf("partition 3: %w", job.ErrExists)
	}
	if s.Data != nil && string(s.Data.Value) == "panic" {
		panic("told to")
	}
	m.jobs[k] = s
	return m.fail
}

func (m *memory) ScheduleAll(ctx context.Context, all []job.Request) []error {
	errs := make([]error, 0, len(all))
	for _, r := range all {
		errs = append(errs, m.Schedule(ctx, r.Key, r.Spec, r.Overwrite))
	}
	if m.hold != nil {
		select {
		case <-m.hold:
		case <-ctx.Done():
		}
	}
	return errs
}

func (m *memory) Get(_ context.Context, k job.Key) (job.Spec, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.jobs[k]
	if !ok {
		return job.Spec{}, time.Time{}, fmt.Errorf("partition 3: %w", job.ErrNotFound)
	}
	return s, s.Plan.First, m.fail
}

func (m *memory) Delete(_ context.Context, k job.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.jobs, k)
	return m.fail
}

// List is the real thing in its order and its matching, in one go.
func (m *memory) List(_ context.Context, p job.Prefix) iter.Seq2[job.Item, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	var items []job.Item
	for k, s := range m.jobs {
		if named(p, k) {
			items = append(items, job.Item{Key: k, Spec: s})
		}
	}
	slices.SortFunc(items, func(a, b job.Item) int { return slices.Compare(parts(a.Key), parts(b.Key)) })
	fail := m.fail
	return func(yield func(job.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
		if fail != nil {
			yield(job.Item{}, fail)
		}
	}
}

// ListPage has the same positions as the real thing: what follows the prefix in a key.
func (m *memory) ListPage(
	ctx context.Context, p job.Prefix, position []byte, limit int,
) (items []job.Item, next []byte, err error) {
	for i, err := range m.List(ctx, p) {
		if err != nil {
			return nil, nil, err
		}
		rest := strings.Join(parts(i.Key)[len(p.Parts):], "\x00")[len(p.Rest):]
		if rest < string(position) {
			continue
		}
		if len(items) == limit {
			return items, []byte(rest), nil
		}
		items = append(items, i)
	}
	return items, nil, nil
}

func (m *memory) DeleteAll(_ context.Context, p job.Prefix) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.jobs, func(k job.Key, _ job.Spec) bool { return named(p, k) })
	return m.fail
}

func parts(k job.Key) []string {
	if k.Target.Kind == job.Actor {
		return []string{k.Target.Name, k.ActorID, k.Name}
	}
	return []string{k.Target.Name, k.Name}
}

func named(p job.Prefix, k job.Key) bool {
	all, n := parts(k), len(p.Parts)
	return k.Target.Kind == p.Kind && k.Target.Namespace == p.Namespace && n < len(all) &&
		slices.Equal(all[:n], p.Parts) && strings.HasPrefix(all[n], p.Rest)
}

// A node is a service on a listener in memory, and a client of it.
type node struct {
	schedulerv1.SchedulerClient

	jobs     *memory
	service  *scheduler.Service
	dispatch *dispatch.Dispatcher
	metrics  *prometheus.Registry
	listener *bufconn.Listener
	conn     *grpc.ClientConn
	dials    atomic.Int32
	hung     atomic.Bool // drops what either side sends from now on
	stop     func()
	stopped  chan error // what Run returned
}

// run starts a node. It is stopped and all its goroutines have ended when the test ends.
func run(t *testing.T, opts ...grpc.ServerOption) *node {
	t.Helper()
	return start(t, nil, insecure.NewCredentials(), opts...)
}

// runWith starts a node whose configuration change changes.
func runWith(t *testing.T, change func(*scheduler.Config, *memory)) *node {
	t.Helper()
	return start(t, change, insecure.NewCredentials())
}

// runAs starts a node with an identity, and a client that shows something.
func runAs(t *testing.T, who *identity.Source, client credentials.TransportCredentials) *node {
	t.Helper()
	return start(t, func(c *scheduler.Config, _ *memory) { c.Identity = who }, client)
}

func start(
	t *testing.T, change func(*scheduler.Config, *memory), client credentials.TransportCredentials, opts ...grpc.ServerOption,
) *node {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	metrics := prometheus.NewPedanticRegistry()
	n := &node{
		jobs:     &memory{jobs: make(map[job.Key]job.Spec)},
		dispatch: dispatch.New(dispatch.Config{Metrics: metrics}),
		metrics:  metrics,
		listener: bufconn.Listen(1 << 20),
		stop:     stop,
		stopped:  make(chan error, 1),
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := scheduler.Config{Hosts: []string{"a:1", "b:2"}, Metrics: metrics}
	cfg.Quota.Count = n.jobs.usage(new(int))
	if change != nil {
		change(&cfg, n.jobs)
	}
	n.service = scheduler.New(cfg, n.jobs, n.dispatch, log)
	go func() { n.stopped <- n.service.Run(ctx, n.listener, opts...) }()
	n.conn = n.client(t, grpc.WithTransportCredentials(client))
	n.SchedulerClient = schedulerv1.NewSchedulerClient(n.conn)
	t.Cleanup(func() {
		n.conn.Close()
		stop()
		if err := <-n.stopped; err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := n.dispatch.Stats(); got.Streams != 0 || got.InFlight != 0 {
			t.Errorf("left in dispatch: %+v", got)
		}
	})
	return n
}

func (n *node) client(t *testing.T, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		n.dials.Add(1)
		c, err := n.listener.DialContext(ctx)
		return &hangingConn{Conn: c, hung: &n.hung}, err
	}
	opts = append([]grpc.DialOption{grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials())}, opts...)
	conn, err := grpc.NewClient("passthrough:node", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// end waits until the node has stopped by itself.
func (n *node) end(t *testing.T) {
	t.Helper()
	err := <-n.stopped
	if err != nil {
		t.Errorf("Run: %v", err)
	}
	n.stopped <- nil
}

// watch opens a stream and sends m, if there is one, as its first message.
func (n *node) watch(t *testing.T, m *schedulerv1.WatchJobsRequestInitial) schedulerv1.Scheduler_WatchJobsClient {
	t.Helper()
	stream, err := n.WatchJobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m != nil {
		first := &schedulerv1.WatchJobsRequest_Initial{Initial: m}
		send(t, stream, &schedulerv1.WatchJobsRequest{WatchJobRequestType: first})
	}
	return stream
}

func send(t *testing.T, stream schedulerv1.Scheduler_WatchJobsClient, m *schedulerv1.WatchJobsRequest) {
	t.Helper()
	if err := stream.Send(m); err != nil {
		t.Fatal(err)
	}
}

func recv(t *testing.T, stream schedulerv1.Scheduler_WatchJobsClient) *schedulerv1.WatchJobsResponse {
	t.Helper()
	m, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wantStatus(t *testing.T, what string, err error, code codes.Code, text string) {
	t.Helper()
	if got := status.Convert(err); got.Code() != code || got.Message() != text || len(got.Details()) > 0 {
		t.Errorf("%s: %v %q, want %v %q", what, got.Code(), got.Message(), code, text)
	}
}

func jobMetadata(ns, app string) *schedulerv1.JobMetadata {
	target := &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)}
	return &schedulerv1.JobMetadata{Namespace: ns, AppId: app, Target: &schedulerv1.JobTargetMetadata{Type: target}}
}

func actorMetadata(ns, app, kind, id string) *schedulerv1.JobMetadata {
	target := &schedulerv1.JobTargetMetadata_Actor{Actor: &schedulerv1.TargetActorReminder{Type: kind, Id: id}}
	return &schedulerv1.JobMetadata{Namespace: ns, AppId: app, Target: &schedulerv1.JobTargetMetadata{Type: target}}
}

// hang makes the client vanish without a word: its connection stays open and is silent.
func (n *node) hang() { n.hung.Store(true) }

type hangingConn struct {
	net.Conn
	hung *atomic.Bool
}

func (c *hangingConn) Write(b []byte) (int, error) {
	if c.hung.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}
