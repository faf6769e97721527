package bulkv1

import (
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"carillon/internal/job"
)

// ExtHeader is the header metadata in which a scheduler returns the [JobExt] of the job of a GetJob,
// encoded. It is absent if the job has none.
const ExtHeader = "carillon-ext-bin"

// NewJobExt returns the message of an ext; nil if there is none.
func NewJobExt(e *job.Ext) *JobExt {
	if e == nil {
		return nil
	}
	return &JobExt{Labels: e.LabelMap(), Description: e.Description}
}

// Ext returns the ext in the message, or nil if there is nothing in it. The error is ready for a
// client: it says which rule the ext breaks, or that it has a field that is not known here.
func (x *JobExt) Ext() (*job.Ext, error) {
	if len(x.ProtoReflect().GetUnknown()) > 0 {
		return nil, status.Error(codes.InvalidArgument, "ext has a field that this scheduler does not know: upgrade it")
	}
	e, err := job.NewExt(x.GetLabels(), x.GetDescription())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return e, nil
}

// Stored returns the ext in a message from a scheduler, which has checked it; nil if there is none.
// Fields that are not known here are left out.
func (x *JobExt) Stored() *job.Ext {
	if x == nil {
		return nil
	}
	e := &job.Ext{Description: x.GetDescription()}
	for _, k := range slices.Sorted(maps.Keys(x.GetLabels())) {
		e.Labels = append(e.Labels, job.Label{Key: k, Value: x.GetLabels()[k]})
	}
	return e
}

// EncodeExt returns the value of [ExtHeader] for e, which is not nil.
func EncodeExt(e *job.Ext) (string, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(NewJobExt(e))
	return string(b), err
}

// DecodeExt returns the message in a value of [ExtHeader].
func DecodeExt(value string) (*JobExt, error) {
	x := new(JobExt)
	if err := proto.Unmarshal([]byte(value), x); err != nil {
		return nil, status.Errorf(codes.Internal, "the scheduler returned an ext that cannot be decoded: %v", err)
	}
	return x, nil
}
