package scheduler

import (
	"cmp"
	"context"
	"slices"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
	"carillon/internal/contain"
	"carillon/internal/job"
	"carillon/internal/limits"
)

// A bulkServer implements carillon.v1.Bulk. It is a type of its own because Dapr might add a method
// with the same name to its service.
type bulkServer struct {
	bulkv1.UnimplementedBulkServer
	service *Service
}

// ScheduleJobs stores many jobs.
func (b bulkServer) ScheduleJobs(
	ctx context.Context, r *bulkv1.ScheduleJobsRequest,
) (*bulkv1.ScheduleJobsResponse, error) {
	if n := len(r.GetJobs()); n > maxBulkJobs {
		return nil, tooManyJobs(n)
	}
	return b.service.scheduleAll(ctx, b.service.cfg.Now(), bulkv1.Bulk_ScheduleJobs_FullMethodName, r.GetJobs(), nil), nil
}

// ScheduleJobsWithExt stores many jobs with their ext.
func (b bulkServer) ScheduleJobsWithExt(
	ctx context.Context, r *bulkv1.ScheduleJobsWithExtRequest,
) (*bulkv1.ScheduleJobsResponse, error) {
	n := len(r.GetJobs())
	if n > maxBulkJobs {
		return nil, tooManyJobs(n)
	}
	jobs, exts := make([]*schedulerv1.ScheduleJobRequest, n), make([]*bulkv1.JobExt, n)
	for i, j := range r.GetJobs() {
		jobs[i], exts[i] = j.GetJob(), j.GetExt()
	}
	return b.service.scheduleAll(ctx, b.service.cfg.Now(), bulkv1.Bulk_ScheduleJobsWithExt_FullMethodName, jobs, exts), nil
}

// scheduleAll resolves jobs as of now, and stores those that are valid, in order. exts has the ext
// of each job, or is nil if none has one.
func (s *Service) scheduleAll(
	ctx context.Context, now time.Time, method string, jobs []*schedulerv1.ScheduleJobRequest, exts []*bulkv1.JobExt,
) *bulkv1.ScheduleJobsResponse {
	refusals := new(bulkv1.ScheduleJobsResponse)
	requests, indices := make([]job.Request, 0, len(jobs)), make([]int, 0, len(jobs))
	refuse := func(index int, err error) {
		err = s.translate(ctx, method, func() error { return err })
		refusals.Refused = append(refusals.Refused, refusal(index, err))
	}
	for i, r := range jobs {
		request, err := s.bulkRequest(ctx, now, r)
		if err == nil && exts != nil {
			err = s.addExt(&request, exts[i])
		}
		if err != nil {
			refuse(i, err)
			continue
		}
		requests, indices = append(requests, request), append(indices, i)
	}
	var stored [job.Actor + 1]int
	for i, err := range s.jobs.ScheduleAll(ctx, requests) {
		k := requests[i].Key
		if err != nil {
			refuse(indices[i], s.notStored(k, err))
			continue
		}
		stored[k.Target.Kind]++
	}
	for kind, n := range stored {
		if n > 0 {
			s.metrics.created.WithLabelValues(job.Kind(kind).String()).Add(float64(n))
		}
	}
	slices.SortFunc(refusals.GetRefused(), func(a, b *bulkv1.Refusal) int { return cmp.Compare(a.GetIndex(), b.GetIndex()) })
	return refusals
}

// bulkRequest returns the request for a job as of now, unless it is invalid or exceeds a quota.
func (s *Service) bulkRequest(
	ctx context.Context, now time.Time, r *schedulerv1.ScheduleJobRequest,
) (request job.Request, err error) {
	err = contain.Call(func() (err error) {
		if err := s.checkQuota(ctx, r); err != nil {
			if status.Code(err) == codes.ResourceExhausted {
				limits.Throttle(ctx, 1) // as the server does for a call of one job
			}
			return err
		}
		request, err = s.request(now, r)
		return err
	})
	return request, err
}

// addExt adds an ext to the request for a job, unless it is invalid.
func (s *Service) addExt(r *job.Request, x *bulkv1.JobExt) (err error) {
	if r.Spec.Ext, err = x.Ext(); err != nil {
		s.metrics.createdFailed.WithLabelValues(r.Key.Target.Kind.String()).Inc()
	}
	return err
}

func refusal(index int, err error) *bulkv1.Refusal {
	s := status.Convert(err)
	return &bulkv1.Refusal{Index: uint32(index), Code: int32(s.Code()), Message: s.Message()}
}
