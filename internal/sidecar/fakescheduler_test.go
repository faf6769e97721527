package sidecar_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/bulkv1"
)

// A scheduler is a fake that keeps jobs in a map, and sends triggers on request.
type scheduler struct {
	schedulerv1.UnimplementedSchedulerServer
	t       *testing.T
	network *network
	address string
	server  *grpc.Server
	bulk    *bulkScheduler // nil: like Dapr's, it lacks the service

	mu       sync.Mutex // guards the fields below
	jobs     map[string]*schedulerv1.ScheduleJobRequest
	calls    []string      // "schedule", "get", "delete", "list", "delete by prefix"
	fails    error         // the error of unary calls, or nil
	holds    bool          // unary calls wait for their context
	release  chan struct{} // if set, they wait until it is closed
	hosts    []string
	changed  chan struct{} // closed when hosts changes
	noHosts  error         // the error of WatchHosts, or nil
	mute     bool          // WatchHosts publishes nothing
	noJobs   error         // the error of WatchJobs after its first message, or nil
	watchers []*watcher    // those connected
	opened   int           // number of watchers so far
}

// A watcher is one WatchJobs stream.
type watcher struct {
	initial *schedulerv1.WatchJobsRequestInitial
	send    chan *schedulerv1.WatchJobsResponse
	results chan *schedulerv1.WatchJobsRequestResult
	cut     context.CancelFunc
}

// newScheduler serves a scheduler on the network that publishes the hosts.
func newScheduler(t *testing.T, n *network, address string, hosts ...string) *scheduler {
	s := &scheduler{
		t: t, network: n, address: address, hosts: hosts,
		jobs: make(map[string]*schedulerv1.ScheduleJobRequest), changed: make(chan struct{}),
	}
	s.serve()
	t.Cleanup(func() { s.die() })
	return s
}

func (s *scheduler) serve() {
	s.server = grpc.NewServer(grpc.WaitForHandlers(true))
	schedulerv1.RegisterSchedulerServer(s.server, s)
	if s.bulk != nil {
		bulkv1.RegisterBulkServer(s.server, s.bulk)
	}
	server, l := s.server, s.network.listen(s.address)
	go func() { _ = server.Serve(l) }()
}

// die breaks all connections and stops listening.
func (s *scheduler) die() {
	s.network.close(s.address)
	s.server.Stop()
}

func jobKey(m *schedulerv1.JobMetadata, name string) string {
	if m.GetTarget().GetJob() == nil {
		return "no job target"
	}
	return m.GetNamespace() + "|" + m.GetAppId() + "|" + name
}

func (s *scheduler) unary(ctx context.Context, call string) error {
	if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("dapr-api-token")) > 0 {
		s.t.Errorf("%s: a token has come as far as the scheduler", call)
	}
	s.mu.Lock()
	s.calls = append(s.calls, call)
	fails, holds, release := s.fails, s.holds, s.release
	s.mu.Unlock()
	if holds {
		select {
		case <-release:
			return fails
		case <-ctx.Done():
		}
		return status.FromContextError(ctx.Err()).Err()
	}
	return fails
}

func (s *scheduler) ScheduleJob(
	ctx context.Context, r *schedulerv1.ScheduleJobRequest,
) (*schedulerv1.ScheduleJobResponse, error) {
	if err := s.unary(ctx, "schedule"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := jobKey(r.GetMetadata(), r.GetName())
	if s.jobs[key] != nil && !r.GetOverwrite() {
		return nil, status.Error(codes.AlreadyExists, "job already exists: '"+key+"'")
	}
	s.jobs[key] = r
	return &schedulerv1.ScheduleJobResponse{}, nil
}

func (s *scheduler) GetJob(ctx context.Context, r *schedulerv1.GetJobRequest) (*schedulerv1.GetJobResponse, error) {
	if err := s.unary(ctx, "get"); err != nil {
		return nil, err
	}
	j := s.job(jobKey(r.GetMetadata(), r.GetName()))
	if j == nil {
		return nil, status.Error(codes.NotFound, "job not found: "+r.GetName())
	}
	if s.bulk != nil {
		if ext := s.bulk.ext(jobKey(r.GetMetadata(), r.GetName())); ext != nil {
			encoded, err := proto.Marshal(ext)
			if err != nil {
				return nil, err
			}
			if err := grpc.SetHeader(ctx, metadata.Pairs(bulkv1.ExtHeader, string(encoded))); err != nil {
				return nil, err
			}
		}
	}
	return &schedulerv1.GetJobResponse{Job: j.GetJob()}, nil
}

func (s *scheduler) DeleteJob(
	ctx context.Context, r *schedulerv1.DeleteJobRequest,
) (*schedulerv1.DeleteJobResponse, error) {
	if err := s.unary(ctx, "delete"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.jobs, jobKey(r.GetMetadata(), r.GetName()))
	return &schedulerv1.DeleteJobResponse{}, nil
}

func (s *scheduler) ListJobs(
	ctx context.Context, r *schedulerv1.ListJobsRequest,
) (*schedulerv1.ListJobsResponse, error) {
	if err := s.unary(ctx, "list"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	res := new(schedulerv1.ListJobsResponse)
	for _, key := range slices.Sorted(maps.Keys(s.jobs)) {
		if j := s.jobs[key]; strings.HasPrefix(key, jobKey(r.GetMetadata(), "")) {
			res.Jobs = append(res.Jobs, &schedulerv1.NamedJob{Name: j.GetName(), Metadata: j.GetMetadata(), Job: j.GetJob()})
		}
	}
	return res, nil
}

func (s *scheduler) DeleteByNamePrefix(
	ctx context.Context, r *schedulerv1.DeleteByNamePrefixRequest,
) (*schedulerv1.DeleteByNamePrefixResponse, error) {
	if err := s.unary(ctx, "delete by prefix"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.jobs, func(key string, _ *schedulerv1.ScheduleJobRequest) bool {
		return strings.HasPrefix(key, jobKey(r.GetMetadata(), r.GetNamePrefix()))
	})
	return &schedulerv1.DeleteByNamePrefixResponse{}, nil
}

// job returns what was scheduled under "namespace|app|name", or nil.
func (s *scheduler) job(key string) *schedulerv1.ScheduleJobRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[key]
}

func (s *scheduler) answersWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = err
}

// holdCalls sets whether unary calls wait for their context.
func (s *scheduler) holdCalls(hold bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = hold
}

// took returns the unary calls since it was last called.
func (s *scheduler) took() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.calls = nil }()
	return s.calls
}

func (s *scheduler) WatchHosts(
	_ *schedulerv1.WatchHostsRequest, st schedulerv1.Scheduler_WatchHostsServer,
) error {
	for {
		s.mu.Lock()
		hosts, changed, err, mute := s.hosts, s.changed, s.noHosts, s.mute
		s.mu.Unlock()
		if mute {
			<-st.Context().Done()
			return st.Context().Err()
		}
		if err != nil {
			return err
		}
		m := &schedulerv1.WatchHostsResponse{}
		for _, h := range hosts {
			m.Hosts = append(m.Hosts, &schedulerv1.Host{Address: h})
		}
		if err := st.Send(m); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-st.Context().Done():
			return st.Context().Err()
		}
	}
}

// publish sends a new list of hosts.
func (s *scheduler) publish(hosts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = hosts
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *scheduler) WatchJobs(
	st schedulerv1.Scheduler_WatchJobsServer,
) error {
	first, err := st.Recv()
	if err != nil {
		return err
	}
	ctx, cut := context.WithCancel(st.Context())
	defer cut()
	w := &watcher{
		initial: first.GetInitial(), cut: cut,
		send: make(chan *schedulerv1.WatchJobsResponse, 100), results: make(chan *schedulerv1.WatchJobsRequestResult, 100),
	}
	s.mu.Lock()
	if err := s.noJobs; err != nil {
		s.mu.Unlock()
		return err
	}
	s.watchers = append(s.watchers, w)
	s.opened++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.watchers = slices.DeleteFunc(s.watchers, func(o *watcher) bool { return o == w })
	}()
	go func() {
		for {
			m, err := st.Recv()
			if err != nil {
				return
			}
			w.results <- m.GetResult()
		}
	}()
	for {
		select {
		case m := <-w.send:
			if err := st.Send(m); err != nil {
				return err
			}
		case <-ctx.Done():
			return status.Error(codes.Unavailable, "cut")
		}
	}
}

// connected returns the open streams, and the number of streams so far.
func (s *scheduler) connected() (open []*watcher, ever int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.watchers), s.opened
}

// stream returns one open stream.
func (s *scheduler) stream() *watcher {
	s.t.Helper()
	open, _ := s.connected()
	if len(open) == 0 {
		s.t.Fatal("no stream is open")
	}
	return open[0]
}

// trigger sends a trigger of a job of the app "sub" on a stream.
func (w *watcher) trigger(id uint64, name string, data *anypb.Any) {
	w.send <- jobTrigger(id, name, data)
}

func jobTrigger(id uint64, name string, data *anypb.Any) *schedulerv1.WatchJobsResponse {
	return &schedulerv1.WatchJobsResponse{
		Name: name, Id: id, Data: data,
		Metadata: &schedulerv1.JobMetadata{
			AppId: "sub", Namespace: "default",
			Target: &schedulerv1.JobTargetMetadata{
				Type: &schedulerv1.JobTargetMetadata_Job{Job: &schedulerv1.TargetJob{}},
			},
		},
	}
}

// forget removes all jobs.
func (s *scheduler) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.jobs)
}
