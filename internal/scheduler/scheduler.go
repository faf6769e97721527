package scheduler

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/dispatch"
	"carillon/internal/identity"
	"carillon/internal/job"
	"carillon/internal/limits"
	"carillon/internal/lograte"
	"carillon/internal/peerv1"
	"carillon/internal/wire"
)

// Jobs is where the service keeps jobs. Its methods return the errors of package job, and give up when ctx ends.
type Jobs interface {
	// Schedule stores s, which is resolved, under k. If k is taken and overwrite is not set, it returns
	// [job.ErrExists].
	Schedule(ctx context.Context, k job.Key, s job.Spec, overwrite bool) error
	// ScheduleAll schedules each of all, and returns when their order is settled: of those with the same key the first is
	// stored first, and before what is asked for from then on. results waits until all are stored or refused, and returns
	// the error of each in its place. The caller does not write to all any more.
	ScheduleAll(ctx context.Context, all []job.Request) (results func(ctx context.Context) []error)
	// Get returns the job as it was scheduled, or [job.ErrNotFound].
	Get(ctx context.Context, k job.Key) (job.Spec, error)
	// Delete removes the job. It is no error if there is none.
	Delete(ctx context.Context, k job.Key) error
	// List yields the jobs that p names, as of one moment, ordered by target name, actor id and name, bytewise. An
	// error ends it.
	List(ctx context.Context, p job.Prefix) iter.Seq2[job.Item, error]
	// DeleteAll removes the jobs that p names. It is no error if there are none.
	DeleteAll(ctx context.Context, p job.Prefix) error
}

// Config is what a Service needs to know.
type Config struct {
	// Hosts are the addresses, host:port, at which sidecars reach the nodes of this cluster. Sidecars connect to each.
	// Nil says that they are not known before SetHosts is called.
	Hosts []string
	// Peer answers the other nodes of a cluster; nil if there are none.
	Peer Peer
	// PeerSecret is what the other nodes show this one. Without one, no call of theirs is answered.
	PeerSecret string
	// Identity is who this node is. With it each connection is encrypted, and shows who calls; a caller may ask only about
	// its own app. Without it, anybody may ask about anything. It is run by whoever made it.
	Identity *identity.Source
	// Quota is what each namespace may keep and ask for.
	Quota Quota
	// MaxBodyBytes is how much memory requests may take over all connections, unary calls and streams, from when their
	// bytes come until they are carried out: twice their size, as they come and decoded. Requests beyond it are refused.
	// 0 is 256 MiB; the least is 16 MiB.
	MaxBodyBytes int64
	// MaxListBytes is how much memory lists of jobs may take over all connections, from when they are begun until they are
	// sent. A list waits for ten seconds for others to end, and is refused then. 0 is 512 MiB; the least is 16 MiB.
	MaxListBytes int64
	// Now is the clock on the wall, as of which times are resolved, as in [engine.Config]; nil is [time.Now].
	Now func() time.Time
	// Metrics is where the service's metrics are registered; nil: nowhere.
	Metrics prometheus.Registerer
}

// A Peer answers the other nodes of a cluster.
type Peer interface {
	// Apply carries out what another node asks for over a stream, until that ends or closing does. spawn runs a function
	// that ends soon after Apply has returned, and contain returns the panic of one as an error.
	Apply(
		closing context.Context, stream peerv1.Peer_ApplyServer, spawn func(func()), contain func(func() error) error,
	) error
}

// A Service answers the calls of sidecars. Run serves it.
type Service struct {
	schedulerv1.UnimplementedSchedulerServer

	cfg      Config
	jobs     Jobs
	dispatch *dispatch.Dispatcher
	log      *slog.Logger
	metrics  *metrics
	hosts    *hosts
	quotas   *quotas
	messages *limits.MessageMemory
	lists    *lists
	doubts   *lograte.Line
	gets     chan struct{} // holds a token of each job that is being read for a caller
}

// New returns a service that keeps jobs in jobs and connects streams to d.
func New(cfg Config, jobs Jobs, d *dispatch.Dispatcher, log *slog.Logger) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxBodyBytes == 0 {
		cfg.MaxBodyBytes = 256 << 20
	}
	if cfg.MaxListBytes == 0 {
		cfg.MaxListBytes = 512 << 20
	}
	m := newMetrics(cfg.Metrics)
	log = log.With(slog.String("component", "scheduler"))
	return &Service{
		cfg:      cfg,
		jobs:     jobs,
		dispatch: d,
		log:      log,
		metrics:  m,
		hosts:    newHosts(cfg.Hosts),
		quotas:   newQuotas(cfg.Quota, m),
		messages: newMessages(cfg.MaxBodyBytes),
		lists:    newLists(cfg.MaxListBytes),
		doubts: lograte.NewFew(8, func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
			log.LogAttrs(ctx, level, "a job was accepted that may not do what its author thinks", attrs...)
		}),
		gets: make(chan struct{}, maxGets),
	}
}

// ScheduleJob stores a job.
func (s *Service) ScheduleJob(
	ctx context.Context, req *schedulerv1.ScheduleJobRequest,
) (*schedulerv1.ScheduleJobResponse, error) {
	r, err := s.request(s.cfg.Now(), req)
	if err != nil {
		return nil, err
	}
	if err := s.jobs.Schedule(ctx, r.Key, r.Spec, r.Overwrite); err != nil {
		return nil, s.notStored(r.Key, err)
	}
	s.metrics.created.WithLabelValues(r.Key.Target.Kind.String()).Inc()
	if !wire.IsFromSidecar(ctx) { // which tells its callers, and its own log
		s.doubt(ctx, &r)
	}
	return new(schedulerv1.ScheduleJobResponse), nil
}

// doubt logs what is doubtful about a job that came from another sidecar than ours, which shows nobody what it is answered.
func (s *Service) doubt(ctx context.Context, r *job.Request) {
	for _, d := range r.Spec.Words.Doubts(s.cfg.Now()) {
		s.doubts.Warn(ctx, append(r.Key.Attrs(), slog.String("warning", d.String()))...)
	}
}

// request returns what req asks for, resolved as of now.
func (s *Service) request(now time.Time, req *schedulerv1.ScheduleJobRequest) (job.Request, error) {
	k, err := wire.Key(req.GetName(), req.GetMetadata())
	if err != nil {
		return job.Request{}, s.metrics.refused(err)
	}
	spec, err := resolve(now, k, req)
	if err != nil {
		s.metrics.createdFailed.WithLabelValues(k.Target.Kind.String()).Inc()
		return job.Request{}, err
	}
	return job.Request{Key: k, Spec: spec, Overwrite: req.GetOverwrite()}, nil
}

// resolve returns the spec of the job that req is about, as of now, if k is a valid key for it.
func resolve(now time.Time, k job.Key, req *schedulerv1.ScheduleJobRequest) (job.Spec, error) {
	if err := k.Check(); err != nil {
		return job.Spec{}, err
	}
	spec, err := wire.Spec(req.GetJob(), req.GetMetadata())
	if err != nil {
		return job.Spec{}, err
	}
	err = spec.Resolve(now)
	return spec, err
}

// notStored counts that k was not stored, and returns err as the caller is told.
func (s *Service) notStored(k job.Key, err error) error {
	s.metrics.createdFailed.WithLabelValues(k.Target.Kind.String()).Inc()
	if errors.Is(err, job.ErrExists) {
		return fmt.Errorf("%w: '%s'", job.ErrExists, k)
	}
	return fmt.Errorf("schedule %s: %w", k, err)
}

// GetJob returns a job as it was scheduled.
func (s *Service) GetJob(
	ctx context.Context, req *schedulerv1.GetJobRequest,
) (*schedulerv1.GetJobResponse, error) {
	k, err := s.key(req.GetName(), req.GetMetadata())
	if err != nil {
		return nil, err
	}
	spec, err := s.jobs.Get(ctx, k)
	if errors.Is(err, job.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s", job.ErrNotFound, req.GetName())
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", k, err)
	}
	return &schedulerv1.GetJobResponse{Job: wire.Job(spec)}, nil
}

// DeleteJob removes a job, if there is one.
func (s *Service) DeleteJob(
	ctx context.Context, req *schedulerv1.DeleteJobRequest,
) (*schedulerv1.DeleteJobResponse, error) {
	k, err := s.key(req.GetName(), req.GetMetadata())
	if err != nil {
		return nil, err
	}
	if err := s.jobs.Delete(ctx, k); err != nil && !errors.Is(err, job.ErrNotFound) {
		return nil, fmt.Errorf("delete %s: %w", k, err)
	}
	s.metrics.deleted.WithLabelValues(k.Target.Kind.String()).Inc()
	return new(schedulerv1.DeleteJobResponse), nil
}

// key returns the key that a request names, if it is a valid one.
func (s *Service) key(name string, m *schedulerv1.JobMetadata) (job.Key, error) {
	k, err := wire.Key(name, m)
	if err != nil {
		return job.Key{}, s.metrics.refused(err)
	}
	return k, k.Check()
}
