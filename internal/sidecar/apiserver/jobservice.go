package apiserver

import (
	"context"
	"math"
	"time"
	"unicode/utf8"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"golang.org/x/sync/semaphore"

	"carillon/internal/bulkv1"
	"carillon/internal/job"
	"carillon/internal/sidecar/schedulerclient"
	"carillon/internal/wire"
)

// maxListFactor is the limit of a scheduler's list, as a multiple of the largest message of the
// API. A scheduler sends more for a job than the API does, so a list that fits a response is not
// refused. A longer list is refused before it is read.
const maxListFactor = 40

// A jobService is the jobs API without its transports. Every error is a *wire.APIError.
type jobService struct {
	schedulers *schedulerclient.Client
	checker    *jobChecker
	warner     *warner
	calls      *callLimit

	listBytes    *semaphore.Weighted // what lists receive from schedulers
	maxListBytes int64               // of one list
	maxCallBytes int64               // of all lists together
}

func newJobService(
	cfg Config, schedulers *schedulerclient.Client, calls *callLimit, w *warner,
) *jobService {
	return &jobService{
		schedulers: schedulers, calls: calls, warner: w,
		checker:   &jobChecker{strict: cfg.Strict, apps: cfg.Apps, connected: cfg.Connected},
		listBytes: semaphore.NewWeighted(cfg.MaxCallBytes), maxCallBytes: cfg.MaxCallBytes,
		// One list may take no more than all of them.
		maxListBytes: min(min(cfg.MaxBody, math.MaxInt32/maxListFactor)*maxListFactor, cfg.MaxCallBytes),
	}
}

// schedule stores a job, with its ext if that is not nil, and warns its client, or refuses it: see
// jobChecker. The warnings in found were found in its body.
func (s *jobService) schedule(
	ctx context.Context, target job.Target, r *runtimev1.ScheduleJobRequest, ext *job.Ext,
	published bool, found ...string,
) error {
	if e := wire.CheckAPIJob(target, r.GetJob()); e != nil {
		return e
	}
	if e := checkName(target, r.GetJob().GetName(), published); e != nil {
		return e
	}
	if text := s.checker.unserved(target); text != "" {
		found = append(found, text)
	}
	warnings, e := s.checker.check(target, r, published, found)
	if e != nil {
		return e
	}
	request := wire.APIScheduleRequest(target, r)
	if err := s.schedulers.Schedule(ctx, request, bulkv1.NewJobExt(ext)); err != nil {
		e := wire.ScheduleFailed(target, err).HelpSchedule(err, request, time.Now())
		return inDialect(e, err, published)
	}
	for _, text := range warnings {
		s.warner.warn(ctx, target, r.GetJob().GetName(), text)
	}
	return nil
}

// A gotJob is a job in the form of the API, with what that has no field for.
type gotJob struct {
	*runtimev1.Job
	ext     *bulkv1.JobExt // nil if it has none
	nextDue string         // the value of [wire.NextDueHeader]; empty if that is unknown
}

// get returns a job.
func (s *jobService) get(
	ctx context.Context, target job.Target, name string, published bool,
) (gotJob, error) {
	if e := checkName(target, name, published); e != nil {
		return gotJob{}, e
	}
	request := &schedulerv1.GetJobRequest{Name: name, Metadata: wire.APIMetadata(target)}
	found, err := s.schedulers.GetJob(ctx, request)
	if err != nil {
		return gotJob{}, inDialect(wire.GetFailed(target, err).HelpGet(err, target, name), err, published)
	}
	return gotJob{Job: wire.APIJob(name, found.Job), ext: found.Ext, nextDue: found.NextDue}, nil
}

// remove deletes a job. It succeeds if there is no such job.
func (s *jobService) remove(ctx context.Context, target job.Target, name string, published bool) error {
	if e := checkName(target, name, published); e != nil {
		return e
	}
	request := &schedulerv1.DeleteJobRequest{Name: name, Metadata: wire.APIMetadata(target)}
	if err := s.schedulers.DeleteJob(ctx, request); err != nil {
		return inDialect(wire.DeleteFailed(target, err), err, published)
	}
	return nil
}

// list returns all jobs of the app. It waits while other lists receive all of MaxCallBytes.
func (s *jobService) list(ctx context.Context, target job.Target) ([]*runtimev1.Job, error) {
	bytes := s.maxListBytes
	waiting, cancel := context.WithTimeout(ctx, schedulerclient.CallTimeout)
	defer cancel()
	if err := s.listBytes.Acquire(waiting, bytes); err != nil {
		return nil, s.calls.tooMany(target)
	}
	defer s.listBytes.Release(bytes)
	request := &schedulerv1.ListJobsRequest{Metadata: wire.APIMetadata(target)}
	res, err := s.schedulers.ListJobs(ctx, request, int(bytes))
	if err != nil {
		return nil, wire.ListFailed(target, err)
	}
	return wire.APIJobs(res.GetJobs()), nil
}

// maxPageBytes is the largest page that is received. A scheduler ends one after 1 MiB of jobs, of
// which the last may have 2 MiB, and each job comes with its name and its app.
const maxPageBytes = 8 << 20

// listPage returns a page of the jobs of the app. It waits while other lists receive all of
// MaxCallBytes. The caller must call release when it does not use the page any more.
func (s *jobService) listPage(
	ctx context.Context, target job.Target, r *bulkv1.ListJobsPageRequest,
) (page *bulkv1.ListJobsPageResponse, release func(), err error) {
	bytes := min(maxPageBytes, s.maxCallBytes)
	waiting, cancel := context.WithTimeout(ctx, schedulerclient.CallTimeout)
	defer cancel()
	if err := s.listBytes.Acquire(waiting, bytes); err != nil {
		return nil, nil, s.calls.tooMany(target)
	}
	r.Metadata = wire.APIMetadata(target)
	page, err = s.schedulers.ListPage(ctx, r, int(bytes))
	if err != nil {
		s.listBytes.Release(bytes)
		return nil, nil, wire.ListPageFailed(target, err)
	}
	return page, func() { s.listBytes.Release(bytes) }, nil
}

// removePrefix deletes the app's jobs whose names have the prefix; all of them if it is empty.
func (s *jobService) removePrefix(
	ctx context.Context, target job.Target, prefix string, published bool,
) error {
	err := s.schedulers.DeleteByNamePrefix(ctx, &schedulerv1.DeleteByNamePrefixRequest{
		NamePrefix: prefix, Metadata: wire.APIMetadata(target),
	})
	if err != nil {
		return inDialect(wire.DeleteFailed(target, err), err, published)
	}
	return nil
}

// checkName checks what a scheduler cannot.
func checkName(target job.Target, name string, published bool) *wire.APIError {
	switch {
	case name == "":
		return wire.NameEmpty(target)
	case published && !utf8.ValidString(name): // no message can carry it, and Dapr answers 500
		return wire.NewAPIError(wire.ReasonMalformed, target, "the name of the job is not UTF-8")
	default:
		return nil
	}
}

// inDialect returns e, the error for a scheduler's err, in the dialect of the call. In the
// published dialect a malformed request is an InvalidArgument; in Dapr it is Internal.
func inDialect(e *wire.APIError, err error, published bool) *wire.APIError {
	if published && wire.IsMalformed(err) {
		return e.AsInvalid()
	}
	return e
}
