package wire

import (
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/job"
	"carillon/internal/when"
)

// APIScheduleRequest returns the request to a scheduler for a request of the gRPC API, for a job of
// target. It shares the contents of r.
func APIScheduleRequest(target job.Target, r *runtimev1.ScheduleJobRequest) *schedulerv1.ScheduleJobRequest {
	j := r.GetJob()
	return &schedulerv1.ScheduleJobRequest{
		Name: j.GetName(),
		Job: &schedulerv1.Job{
			Schedule:      j.Schedule,
			Repeats:       j.Repeats,
			DueTime:       j.DueTime,
			Ttl:           j.Ttl,
			Data:          j.GetData(),
			FailurePolicy: j.GetFailurePolicy(),
		},
		Metadata:  APIMetadata(target),
		Overwrite: r.GetOverwrite(),
	}
}

// APIMetadata returns the metadata of requests to a scheduler about jobs of an app.
func APIMetadata(target job.Target) *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{
		AppId:     target.Name,
		Namespace: target.Namespace,
		Target: &schedulerv1.JobTargetMetadata{
			Type: &schedulerv1.JobTargetMetadata_Job{Job: &schedulerv1.TargetJob{}},
		},
	}
}

// APIJob returns a job from a scheduler in the form of the API. It shares the contents of j.
func APIJob(name string, j *schedulerv1.Job) *runtimev1.Job {
	if j == nil {
		return &runtimev1.Job{Name: name}
	}
	return &runtimev1.Job{
		Name:          name,
		Schedule:      j.Schedule,
		Repeats:       j.Repeats,
		DueTime:       j.DueTime,
		Ttl:           j.Ttl,
		Data:          j.GetData(),
		FailurePolicy: j.GetFailurePolicy(),
	}
}

// APIJobs returns a list from a scheduler in the form of the API. It shares the contents of the
// list.
func APIJobs(list []*schedulerv1.NamedJob) []*runtimev1.Job {
	jobs := make([]*runtimev1.Job, 0, len(list))
	for _, j := range list {
		jobs = append(jobs, APIJob(j.GetName(), j.GetJob()))
	}
	return jobs
}

const helpName = "name the job: in the path, as in /v1.0/jobs/NAME; over gRPC and in a batch, in the field name"

// NameEmpty returns the error of a call without the name of a job.
func NameEmpty(target job.Target) *APIError {
	return NewAPIError(ReasonNameEmpty, target, "Name is empty").About("name", helpName)
}

// CheckAPIJob returns the error of the first rule that j violates, or nil. It checks the rules of a
// sidecar; the scheduler checks all others (sidecar specification §7).
func CheckAPIJob(target job.Target, j *runtimev1.Job) *APIError {
	switch {
	case j == nil:
		return NewAPIError(ReasonJobEmpty, target, "Job is empty").About("job", "set job, with a name, and a due_time or a schedule")
	case j.GetName() == "":
		return NewAPIError(ReasonNameEmpty, target, "Name is empty").About("job.name", helpName)
	case j.Schedule == nil && j.DueTime == nil:
		return NewAPIError(ReasonScheduleEmpty, target, "Schedule is empty").About("job.schedule", `give dueTime, such as "30s", or schedule, such as "@every 5m", or both`)
	default:
		return nil
	}
}

// APIWords returns the fields of j that say when it is due.
func APIWords(j *runtimev1.Job) when.Words {
	return when.Words{Schedule: j.Schedule, DueTime: j.DueTime, TTL: j.Ttl, Repeats: j.Repeats}
}
