package wire

import (
	"fmt"
	"strings"

	internalsv1 "github.com/dapr/dapr/pkg/proto/internals/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"carillon/internal/job"
	"carillon/internal/when"
)

// maxDoubts is how many doubts there are about one request.
const maxDoubts = 8

// Doubts returns what of the text of a body that [ParseAPIBody] has accepted has no effect: fields that it ignores, as
// proto-JSON does; and what of the data is lost. Each is in ASCII and has a few hundred bytes; there are eight at most.
func (b Body) Doubts(text []byte) []string {
	d := bodyDoubts{}
	fields := (*internalsv1.JobHTTPRequest)(nil).ProtoReflect().Descriptor().Fields()
	members(text, func(key, value []byte) {
		switch {
		case string(key) != "job" || value[0] != '{':
			d.field(fields, "", key, value)
		case b.Form == WrappedBody:
			d.object(fields, "job.", value)
		default:
			d.add(`the object "job" is ignored: the body has fields of a job beside it; give them in one of the two places`)
		}
	})
	if b.Changed != 0 {
		d.add(b.Changed.String())
	}
	return d.all
}

// A bodyDoubts collects what is doubtful about a body.
type bodyDoubts struct{ all []string }

func (d *bodyDoubts) add(text string) {
	if len(d.all) < maxDoubts {
		d.all = append(d.all, text)
	}
}

// object looks for fields that a message with those fields does not have. path is where it is in the body.
func (d *bodyDoubts) object(fields protoreflect.FieldDescriptors, path string, object []byte) {
	members(object, func(key, value []byte) { d.field(fields, path, key, value) })
}

func (d *bodyDoubts) field(fields protoreflect.FieldDescriptors, path string, key, value []byte) {
	if path == "" || path == "job." {
		switch string(key) { // which costs less than to look it up
		case "name", "schedule", "repeats", "dueTime", "ttl", "data", "overwrite":
			return
		}
	}
	f := known(fields, string(key))
	if f == nil {
		d.add(fmt.Sprintf("the field %+.64q is ignored, as it is not known: there are %s", path+string(key), names(fields)))
		return
	}
	// Values and durations of JSON are not messages with fields there.
	if m := f.Message(); m != nil && m.ParentFile().Package() != "google.protobuf" && value[0] == '{' {
		d.object(m.Fields(), path+f.JSONName()+".", value)
	}
}

// known returns the field that proto-JSON takes key for, or nil.
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

// MessageDoubts returns what of r has no effect, other than words of which [when.Words.Doubts] tells.
func MessageDoubts(r *runtimev1.ScheduleJobRequest) []string {
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

// Doubtful is the error of a schedule call that would be accepted, with a warning of each doubt, were it not for a
// sidecar that is strict: what was found, and the doubts about its words.
func Doubtful(target job.Target, found []string, words []when.Doubt) *APIError {
	for _, d := range words {
		found = append(found, d.String())
	}
	e := NewAPIError(ReasonSchedule, target, "failed to schedule job due to: "+strings.Join(found, "; ")+" (refused because of --strict)").AsInvalid()
	if len(words) == 0 {
		return e
	}
	return e.About("job."+words[0].Field, words[0].Wrong)
}
