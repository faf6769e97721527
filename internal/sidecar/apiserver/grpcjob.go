package apiserver

import (
	"context"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// grpcAPI implements those methods of Dapr's runtime service that are about jobs and the process.
// The others are Unimplemented.
type grpcAPI struct {
	runtimev1.UnimplementedDaprServer
	targets   targetResolver
	jobs      *jobService
	metadata  *metadataService
	shutdowns shutdownRequests
	maxBody   int64
}

// target returns the app that a call is about. A call that names the app is in the published
// dialect.
func (a grpcAPI) target(ctx context.Context) (target job.Target, published bool, err error) {
	header := metadata.ValueFromIncomingContext(ctx, appHeader)
	target, err = a.targets.resolve(header)
	return target, len(header) > 0 && header[0] != "", err
}

// ScheduleJob creates a job, or replaces it. Dapr's request has no field for an ext.
func (a grpcAPI) ScheduleJob(
	ctx context.Context, r *runtimev1.ScheduleJobRequest,
) (*runtimev1.ScheduleJobResponse, error) {
	target, published, err := a.target(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.jobs.schedule(ctx, target, r, nil, published); err != nil {
		return nil, err
	}
	return &runtimev1.ScheduleJobResponse{}, nil
}

// GetJob returns a job, and in the header metadata when it is due next.
func (a grpcAPI) GetJob(
	ctx context.Context, r *runtimev1.GetJobRequest,
) (*runtimev1.GetJobResponse, error) {
	target, published, err := a.target(ctx)
	if err != nil {
		return nil, err
	}
	j, err := a.jobs.get(ctx, target, r.GetName(), published)
	if err != nil {
		return nil, err
	}
	if j.nextDue != "" {
		_ = grpc.SetHeader(ctx, metadata.Pairs(wire.NextDueHeader, j.nextDue)) // the response is complete without it
	}
	return &runtimev1.GetJobResponse{Job: j.Job}, nil
}

// DeleteJob deletes a job, if there is one.
func (a grpcAPI) DeleteJob(
	ctx context.Context, r *runtimev1.DeleteJobRequest,
) (*runtimev1.DeleteJobResponse, error) {
	target, published, err := a.target(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.jobs.remove(ctx, target, r.GetName(), published); err != nil {
		return nil, err
	}
	return &runtimev1.DeleteJobResponse{}, nil
}

// DeleteJobsByPrefix deletes the jobs whose names have the prefix; all jobs of the app if it is
// empty.
func (a grpcAPI) DeleteJobsByPrefix(
	ctx context.Context, r *runtimev1.DeleteJobsByPrefixRequest,
) (*runtimev1.DeleteJobsByPrefixResponse, error) {
	target, published, err := a.target(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.jobs.removePrefix(ctx, target, r.GetNamePrefix(), published); err != nil {
		return nil, err
	}
	return &runtimev1.DeleteJobsByPrefixResponse{}, nil
}

// ListJobs returns all jobs of the app, in no particular order. If the response is too large, the
// error has the text that clients know (sidecar specification §2.1).
func (a grpcAPI) ListJobs(
	ctx context.Context, _ *runtimev1.ListJobsRequest,
) (*runtimev1.ListJobsResponse, error) {
	target, _, err := a.target(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := a.jobs.list(ctx, target)
	if err != nil {
		return nil, err
	}
	res := &runtimev1.ListJobsResponse{Jobs: jobs}
	if n, limit := proto.Size(res), a.maxBody; int64(n) > limit {
		return nil, status.Errorf(codes.ResourceExhausted, "grpc: trying to send message larger than max (%d vs. %d)", n, limit)
	}
	return res, nil
}

// ScheduleJobAlpha1 is ScheduleJob under the name that most SDKs use.
func (a grpcAPI) ScheduleJobAlpha1(
	ctx context.Context, r *runtimev1.ScheduleJobRequest,
) (*runtimev1.ScheduleJobResponse, error) {
	return a.ScheduleJob(ctx, r)
}

// GetJobAlpha1 is GetJob under the name that most SDKs use.
func (a grpcAPI) GetJobAlpha1(
	ctx context.Context, r *runtimev1.GetJobRequest,
) (*runtimev1.GetJobResponse, error) {
	return a.GetJob(ctx, r)
}

// DeleteJobAlpha1 is DeleteJob under the name that most SDKs use.
func (a grpcAPI) DeleteJobAlpha1(
	ctx context.Context, r *runtimev1.DeleteJobRequest,
) (*runtimev1.DeleteJobResponse, error) {
	return a.DeleteJob(ctx, r)
}

// DeleteJobsByPrefixAlpha1 is DeleteJobsByPrefix under its first name.
func (a grpcAPI) DeleteJobsByPrefixAlpha1(
	ctx context.Context, r *runtimev1.DeleteJobsByPrefixRequestAlpha1,
) (*runtimev1.DeleteJobsByPrefixResponseAlpha1, error) {
	if _, err := a.DeleteJobsByPrefix(ctx, &runtimev1.DeleteJobsByPrefixRequest{NamePrefix: r.NamePrefix}); err != nil {
		return nil, err
	}
	return &runtimev1.DeleteJobsByPrefixResponseAlpha1{}, nil
}

// ListJobsAlpha1 is ListJobs under its first name.
func (a grpcAPI) ListJobsAlpha1(
	ctx context.Context, _ *runtimev1.ListJobsRequestAlpha1,
) (*runtimev1.ListJobsResponseAlpha1, error) {
	res, err := a.ListJobs(ctx, &runtimev1.ListJobsRequest{})
	if err != nil {
		return nil, err
	}
	return &runtimev1.ListJobsResponseAlpha1{Jobs: res.GetJobs()}, nil
}
