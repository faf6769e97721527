package wire

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
)

// HelpGet adds help to the error of a get call for the job of this name that failed with err.
func (e *APIError) HelpGet(err error, target job.Target, name string) *APIError {
	if status.Code(err) == codes.NotFound {
		return e.About("name", fmt.Sprintf("the app %.100q has no job of the name %.100q: it was not scheduled for that app, was deleted, or has fired for the last time", target.Name, name))
	}
	return e
}

// HelpSchedule adds help to the error of the schedule request r that failed with err, as of now:
// how to correct it, or how else to get it accepted. It works with any scheduler.
func (e *APIError) HelpSchedule(err error, r *schedulerv1.ScheduleJobRequest, now time.Time) *APIError {
	if _, ok := errors.AsType[NoExtError](err); ok {
		return e.About("job.ext", "labels and descriptions need a scheduler of Carillon that is as new as this sidecar: use one, or leave ext out")
	}
	switch code := status.Code(err); {
	case code == codes.AlreadyExists:
		return e.About("overwrite", fmt.Sprintf("the app %.100q has a job of the name %.100q: set overwrite to true to replace it, delete it first, or choose another name", r.GetMetadata().GetAppId(), r.GetName()))
	case code == codes.ResourceExhausted && strings.Contains(err.Error(), "larger than max"):
		return e.About("job.data", fmt.Sprintf("a job with %d bytes of data is too large, however often it is sent: keep the data elsewhere, and send where it is", len(r.GetJob().GetData().GetValue())))
	case code == codes.Unknown || code == codes.InvalidArgument:
		if invalid, ok := errors.AsType[*job.InvalidError](invalid(r, now)); ok {
			return e.About("job."+invalid.Field, cmp.Or(invalid.Help, strings.TrimPrefix(invalid.Reason, job.InvalidJob)))
		}
	}
	return e
}

// invalid returns the error of an invalid request, or nil.
func invalid(r *schedulerv1.ScheduleJobRequest, now time.Time) error {
	k, err := Key(r.GetName(), r.GetMetadata())
	if err != nil {
		return err
	}
	if err := k.Check(); err != nil {
		return err
	}
	spec, err := Spec(r.GetJob(), r.GetMetadata())
	if err != nil {
		return err
	}
	return spec.Resolve(now)
}
