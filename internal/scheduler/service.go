package scheduler

import (
	"context"
	"log/slog"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/dispatch"
	"carillon/internal/job"
	"carillon/internal/limits"
	"carillon/internal/lograte"
	"carillon/internal/wire"
)

// A Service implements Dapr's Scheduler service. [Service.Run] serves it.
type Service struct {
	schedulerv1.UnimplementedSchedulerServer

	cfg      Config
	jobs     Jobs
	dispatch *dispatch.Dispatcher
	log      *slog.Logger
	metrics  *metrics
	hosts    *hostList
	streams  *streamList
	quotas   *quotas
	messages *limits.MessageMemory
	lists    *listBudget
	warnings *lograte.Line
	gets     chan struct{} // a semaphore: holds a token for each GetJob that is being handled
}

// New returns a service that stores jobs in jobs and connects streams to d.
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
		hosts:    newHostList(cfg.Hosts),
		streams:  newStreamList(),
		quotas:   newQuotas(cfg.Quota, m),
		messages: newMessages(cfg.MaxBodyBytes),
		lists:    newListBudget(cfg.MaxListBytes),
		warnings: lograte.NewFew(8, func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
			log.LogAttrs(ctx, level, "a job was accepted that may not do what its author thinks", attrs...)
		}),
		gets: make(chan struct{}, maxGets),
	}
}

// key returns the key that a request names, or an error if it is invalid.
func (s *Service) key(name string, m *schedulerv1.JobMetadata) (job.Key, error) {
	k, err := wire.Key(name, m)
	if err != nil {
		return job.Key{}, s.metrics.refused(err)
	}
	return k, k.Check()
}

// maxGets is how many calls of GetJob are handled at a time. A job may have 2 MiB, however short
// its request is, and as much again when it is encoded.
const maxGets = 16
