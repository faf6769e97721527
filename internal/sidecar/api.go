package sidecar

import (
	"context"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// This file is the jobs API without its transports. Every error is a *wire.APIError.

// appHeader selects the app that a request is about, as an HTTP header or gRPC metadata.
const appHeader = "dapr-app-id"

// serves reports whether requests may be about the app.
func (s *Sidecar) serves(app string) bool { return s.cfg.AnyApp || app == s.cfg.DefaultApp }

// target is the app that a request is about whose header has the given values. A header without a text is as good as
// none: it comes from a variable that was not set.
func (s *Sidecar) target(header []string) (job.Target, error) {
	target := job.Target{Kind: job.App, Namespace: s.cfg.Namespace, Name: s.cfg.DefaultApp}
	var named string
	if len(header) > 0 {
		named = header[0]
	}
	switch {
	case len(header) > 1:
		return target, wire.NewAPIError(wire.ReasonAppInvalid, target, "the header dapr-app-id is there more than once: send it once")
	case !utf8.ValidString(named):
		return target, wire.NewAPIError(wire.ReasonAppInvalid, target, "the header dapr-app-id is not UTF-8: send the app id as text")
	case named == "" && target.Name == "":
		return target, wire.NewAPIError(wire.ReasonAppMissing, target,
			"no app id: name the app in the header dapr-app-id, as there is no default app")
	case named != "" && !s.serves(named):
		return target, wire.NewAPIError(wire.ReasonAppForbidden, target,
			fmt.Sprintf("the header dapr-app-id names the app %q, and this sidecar serves only %q: leave the header out, or call the sidecar of that app", named, target.Name))
	case named != "":
		target.Name = named
	}
	return target, nil
}

// failed is e, which says that a scheduler answered err, in the dialect of the call: as published, a request that is
// malformed is an InvalidArgument, where Dapr has an Internal.
func failed(e *wire.APIError, err error, published bool) *wire.APIError {
	if published && wire.IsMalformed(err) {
		return e.AsInvalid()
	}
	return e
}

// checkName judges what is not a scheduler's to judge.
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

// schedule stores a job, and warns its caller of what is doubtful about it and was found in its body; or refuses it for
// that: see doubt.
func (s *Sidecar) schedule(
	ctx context.Context, target job.Target, r *runtimev1.ScheduleJobRequest, published bool, found ...string,
) error {
	if e := wire.CheckAPIJob(target, r.GetJob()); e != nil {
		return e
	}
	if e := checkName(target, r.GetJob().GetName(), published); e != nil {
		return e
	}
	if text := s.unserved(target); text != "" {
		found = append(found, text)
	}
	doubts, e := s.doubt(target, r, published, found)
	if e != nil {
		return e
	}
	asked := wire.APIScheduleRequest(target, r)
	if err := s.schedulers.schedule(ctx, asked); err != nil {
		return failed(wire.ScheduleFailed(target, err).HelpSchedule(err, asked, time.Now()), err, published)
	}
	for _, d := range doubts {
		s.warn(ctx, target, r.GetJob().GetName(), d)
	}
	return nil
}

func (s *Sidecar) get(ctx context.Context, target job.Target, name string, published bool) (*runtimev1.Job, error) {
	if e := checkName(target, name, published); e != nil {
		return nil, e
	}
	req := &schedulerv1.GetJobRequest{Name: name, Metadata: wire.APIMetadata(target)}
	var res *schedulerv1.GetJobResponse
	err := s.schedulers.call(ctx, func(ctx context.Context, c *host) (err error) {
		res, err = c.GetJob(ctx, req, grpc.WaitForReady(true))
		return err
	})
	if err != nil {
		return nil, failed(wire.GetFailed(target, err).HelpGet(err, target, name), err, published)
	}
	return wire.APIJob(name, res.GetJob()), nil
}

// remove also succeeds where there is no such job.
func (s *Sidecar) remove(ctx context.Context, target job.Target, name string, published bool) error {
	if e := checkName(target, name, published); e != nil {
		return e
	}
	req := &schedulerv1.DeleteJobRequest{Name: name, Metadata: wire.APIMetadata(target)}
	err := s.schedulers.call(ctx, func(ctx context.Context, c *host) error {
		_, err := c.DeleteJob(ctx, req, grpc.WaitForReady(true))
		return err
	})
	if err != nil {
		return failed(wire.DeleteFailed(target, err), err, published)
	}
	return nil
}

// maxListFactor bounds a scheduler's list, as a multiple of the largest message of the API. A scheduler's entry is an
// API's job and whose it is, so that a list which fits a reply is not refused; a longer one is, before it is read.
const maxListFactor = 40

// listBytes is how much a list may receive from a scheduler: no more than all lists together.
func (s *Sidecar) listBytes() int64 {
	return min(min(s.cfg.MaxBody, math.MaxInt32/maxListFactor)*maxListFactor, s.cfg.MaxCallBytes)
}

// list returns all jobs of the app. It waits while other lists receive as much as MaxCallBytes allows.
func (s *Sidecar) list(ctx context.Context, target job.Target) ([]*runtimev1.Job, error) {
	req := &schedulerv1.ListJobsRequest{Metadata: wire.APIMetadata(target)}
	bytes := s.listBytes()
	waiting, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := s.lists.Acquire(waiting, bytes); err != nil {
		return nil, s.calls.tooMany(target)
	}
	defer s.lists.Release(bytes)
	most := grpc.MaxCallRecvMsgSize(int(bytes))
	var res *schedulerv1.ListJobsResponse
	err := s.schedulers.call(ctx, func(ctx context.Context, c *host) (err error) {
		res, err = c.ListJobs(ctx, req, grpc.WaitForReady(true), most)
		return err
	})
	if err != nil {
		return nil, wire.ListFailed(target, err)
	}
	return wire.APIJobs(res.GetJobs()), nil
}

// removePrefix removes the app's jobs whose names begin with prefix. All do, if it is empty.
func (s *Sidecar) removePrefix(ctx context.Context, target job.Target, prefix string, published bool) error {
	req := &schedulerv1.DeleteByNamePrefixRequest{NamePrefix: prefix, Metadata: wire.APIMetadata(target)}
	err := s.schedulers.call(ctx, func(ctx context.Context, c *host) error {
		_, err := c.DeleteByNamePrefix(ctx, req, grpc.WaitForReady(true))
		return err
	})
	if err != nil {
		return failed(wire.DeleteFailed(target, err), err, published)
	}
	return nil
}
