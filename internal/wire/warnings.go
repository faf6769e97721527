package wire

import (
	"fmt"
	"strings"

	internalsv1 "github.com/dapr/dapr/pkg/proto/internals/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"carillon/internal/job"
	"carillon/internal/jsonvalue"
	"carillon/internal/when"
)

// maxWarnings is how many warnings there are at most about one body.
const maxWarnings = 8

// Warnings returns warnings about a body that [ParseAPIBody] has accepted: fields that have no
// effect because proto-JSON ignores them, and what the data loses. Each is ASCII and has a few
// hundred bytes; there are at most eight.
func (b Body) Warnings(text []byte) []string {
	d := bodyWarnings{}
	fields := (*internalsv1.JobHTTPRequest)(nil).ProtoReflect().Descriptor().Fields()
	jsonvalue.Members(text, func(key, value []byte) {
		switch {
		case string(key) != "job" || value[0] != '{':
			d.field(fields, "", key, value)
		case b.Form == WrappedBody:
			d.object(fields, "job.", value)
		default:
			d.add(`the object "job" is ignored: the body has fields of a job beside it; give them in one of the two places`)
		}
	})
	if b.Loss != 0 {
		d.add(b.Loss.String())
	}
	return d.all
}

// bodyWarnings collects warnings about a body.
type bodyWarnings struct{ all []string }

func (d *bodyWarnings) add(text string) {
	if len(d.all) < maxWarnings {
		d.all = append(d.all, text)
	}
}

// object adds a warning for each member of a JSON object that is none of the fields. path is its
// path in the body.
func (d *bodyWarnings) object(fields protoreflect.FieldDescriptors, path string, object []byte) {
	jsonvalue.Members(object, func(key, value []byte) { d.field(fields, path, key, value) })
}

func (d *bodyWarnings) field(fields protoreflect.FieldDescriptors, path string, key, value []byte) {
	if path == "" || path == "job." {
		switch string(key) { // cheaper than a lookup
		case "name", "schedule", "repeats", "dueTime", "ttl", "data", "overwrite", "ext":
			return
		}
	}
	f := known(fields, string(key))
	if f == nil {
		d.add(fmt.Sprintf("the field %+.64q is ignored, as it is not known: there are %s", path+string(key), names(fields)))
		return
	}
	// Well-known types have their own form in JSON, without fields.
	if m := f.Message(); m != nil && m.ParentFile().Package() != "google.protobuf" && value[0] == '{' {
		d.object(m.Fields(), path+f.JSONName()+".", value)
	}
}

// known returns the field to which proto-JSON assigns key, or nil.
func known(fields protoreflect.FieldDescriptors, key string) protoreflect.FieldDescriptor {
	if f := fields.ByJSONName(key); f != nil {
		return f
	}
	return fields.ByTextName(key)
}

func names(fields protoreflect.FieldDescriptors) string {
	var all []string
	for i := range fields.Len() {
		all = append(all, fields.Get(i).JSONName())
	}
	return strings.Join(all, ", ")
}

// MessageWarnings returns warnings about parts of r that have no effect. Those about its times come
// from [when.Words.Warnings].
func MessageWarnings(r *runtimev1.ScheduleJobRequest) []string {
	var all []string
	policy := r.GetJob().GetFailurePolicy()
	for _, m := range []struct {
		what    string
		message protoreflect.ProtoMessage
	}{
		{"request", r}, {"job", r.GetJob()}, {"failure policy", policy}, {"failure policy", policy.GetConstant()}, {"failure policy", policy.GetDrop()},
	} {
		if b := m.message.ProtoReflect().GetUnknown(); len(b) > 0 {
			number, _, _ := protowire.ConsumeTag(b)
			all = append(all, fmt.Sprintf("field %d of the %s is ignored, as it is not known: the client speaks another version of the API", number, m.what))
		}
	}
	if policy != nil && policy.GetPolicy() == nil {
		all = append(all, "the failure policy is ignored, as it is neither constant nor drop: what fails is tried again three times, a second apart")
	}
	return all
}

// Strict returns the error of a schedule call that a strict sidecar refuses because of its
// warnings: those about the request, and those about its times.
func Strict(target job.Target, found []string, times []when.Warning) *APIError {
	for _, w := range times {
		found = append(found, w.String())
	}
	e := NewAPIError(ReasonSchedule, target, "failed to schedule job due to: "+strings.Join(found, "; ")+" (refused because of --strict)").AsInvalid()
	if len(times) == 0 {
		return e
	}
	return e.About("job."+times[0].Field, times[0].Wrong)
}
