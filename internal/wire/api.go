package wire

import (
	"bytes"
	"errors"
	"fmt"

	internalsv1 "github.com/dapr/dapr/pkg/proto/internals/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"carillon/internal/job"
	"carillon/internal/when"
)

// valueURL is the type of all data given over HTTP: JSON is stored as a google.protobuf.Value.
const valueURL = "type.googleapis.com/google.protobuf.Value"

// deepData is fewer values than are within each other in data that is nested too deeply: at 10,000 messages, of which a
// value makes up to three.
const deepData = 3000

// A BodyForm says which form of the HTTP API's body a request used.
type BodyForm uint8

const (
	// FlatBody has the job's fields at its top level. An empty body is one, too.
	FlatBody BodyForm = 1
	// WrappedBody has them in a top-level object "job", and none of them outside of it.
	WrappedBody BodyForm = 2
	// NeitherBody has something else, and neither of the two.
	NeitherBody BodyForm = 3
)

// A Body is what is to be said of a body of the HTTP API beside the job in it.
type Body struct {
	Form    BodyForm
	Changed Loss // of the data
}

// ParseAPIBody reads the body of a POST of the HTTP API into the message that the gRPC API takes. The rules of acceptance
// are proto-JSON's, unknown fields ignored (sidecar specification §1.3). The job's name is the one in the body, where only
// a batch may have it: within an object "job" or beside it. The data remembers how it was written, so that it comes back
// and is delivered as it was given, but for white space.
//
// To read a body can take hundreds of times its size in memory. The body itself aside, room is asked for it; the error is
// [ErrNoRoom] where there is none, and [ErrDataTooLarge] where it is certain that nobody would store the data.
func ParseAPIBody(body []byte, room Room) (*runtimev1.ScheduleJobRequest, Body, error) {
	if !room.has(len(body)) {
		return nil, Body{}, ErrNoRoom
	}
	r, b, err := parsePlainBody(body, room)
	if !errors.Is(err, errNotPlain) {
		return r, b, err
	}
	cost, depth := treeCost(body)
	switch {
	case cost > maxData/minValue*valueCost+textCost*len(body):
		return nil, Body{}, ErrDataTooLarge
	case !room.has(cost):
		return nil, Body{}, ErrNoRoom
	}
	b.Form = FlatBody
	var flat internalsv1.JobHTTPRequest
	fields := body
	if len(body) > 0 {
		if err := unmarshalJSON(body, &flat); err != nil {
			return nil, Body{}, err
		}
		name := flat.GetName()
		if flat.Name = ""; proto.Size(&flat) == 0 {
			wrapped, f, err := unwrap(body)
			if err != nil {
				return nil, Body{}, err
			}
			if b.Form = f; f == WrappedBody {
				fields = wrapped
				if err := unmarshalJSON(wrapped, &flat); err != nil {
					return nil, Body{}, err
				}
			}
		}
		if flat.GetName() == "" {
			flat.Name = name
		}
	}
	r = &runtimev1.ScheduleJobRequest{
		Job: &runtimev1.Job{
			Name:          flat.GetName(),
			Schedule:      flat.Schedule,
			Repeats:       flat.Repeats,
			DueTime:       flat.DueTime,
			Ttl:           flat.Ttl,
			FailurePolicy: flat.GetFailurePolicy(),
		},
		Overwrite: flat.GetOverwrite(),
	}
	if flat.GetData() != nil {
		r.Job.Data = &anypb.Any{TypeUrl: valueURL}
		text := member(fields, "data")
		p := plainJSON{left: text, room: room, granted: len(body), judged: true}
		value, ok := p.data()
		if p.err != nil {
			return nil, Body{}, p.err
		}
		b.Changed = p.changed
		if !ok {
			if losesSpelling(text) {
				b.Changed = TooDeepToKeep
			}
			if value, err = proto.Marshal(flat.GetData()); err != nil {
				return nil, Body{}, err
			}
			// JSON may be nested more deeply than a message that is decoded. Such data could never be delivered.
			if depth > deepData {
				if err := proto.Unmarshal(value, new(structpb.Value)); err != nil {
					return nil, Body{}, fmt.Errorf("data: %w", err)
				}
			}
		}
		r.Job.Data.Value = value
	}
	return r, b, nil
}

func unmarshalJSON(b []byte, m proto.Message) error {
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, m)
}

// APIScheduleRequest is what a sidecar asks of a scheduler for a job of target, as the gRPC API's r wants it. It shares
// r's contents.
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

// APIMetadata says to a scheduler whose jobs a request is about: those of an app.
func APIMetadata(target job.Target) *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{
		AppId:     target.Name,
		Namespace: target.Namespace,
		Target: &schedulerv1.JobTargetMetadata{
			Type: &schedulerv1.JobTargetMetadata_Job{Job: &schedulerv1.TargetJob{}},
		},
	}
}

// APIJob is the API's form of a scheduler's answer about the job of that name. It shares j's contents.
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

// APIJobs is the API's form of a scheduler's list. It shares the list's contents.
func APIJobs(list []*schedulerv1.NamedJob) []*runtimev1.Job {
	jobs := make([]*runtimev1.Job, 0, len(list))
	for _, j := range list {
		jobs = append(jobs, APIJob(j.GetName(), j.GetJob()))
	}
	return jobs
}

const helpName = "name the job: in the path, as in /v1.0/jobs/NAME; over gRPC and in a batch, in the field name"

// NameEmpty is the error of a call about a job without a name.
func NameEmpty(target job.Target) *APIError {
	return NewAPIError(ReasonNameEmpty, target, "Name is empty").About("name", helpName)
}

// CheckAPIJob returns the error of the first rule that a sidecar itself judges and that j breaks, or nil. All other
// rules are the scheduler's (sidecar specification §7).
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

// APIWords are the words in which j says when it is due.
func APIWords(j *runtimev1.Job) when.Words {
	return when.Words{Schedule: j.Schedule, DueTime: j.DueTime, TTL: j.Ttl, Repeats: j.Repeats}
}

// AppBody is what an app that is called over HTTP receives as its body: JSON, if the data was given as JSON, and
// otherwise the bytes without the white space around them (sidecar specification §3.2).
func AppBody(d *job.Data) ([]byte, error) {
	if d == nil {
		return nil, nil
	}
	if d.TypeURL != valueURL {
		return bytes.TrimSpace(d.Value), nil // which takes Unicode white space away as well
	}
	value, err := valueJSON(d.Value)
	if errors.Is(err, errNoKind) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("render data as JSON: %w", err)
	}
	return value, nil
}
