package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	internalsv1 "github.com/dapr/dapr/pkg/proto/internals/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"carillon/internal/brief"
	"carillon/internal/job"
)

// Clients know Dapr's messages, and some look for them: they stay as they are. What a person needs beside one stands in
// its help: the field help of an HTTP body, and a google.rpc.BadRequest or Help over gRPC (docs/decisions/0026).

// WithHelp sets the help of e: what to do about it. A long one loses its middle.
func (e *APIError) WithHelp(help string) *APIError {
	e.Help = brief.Text(help)
	return e
}

// About says which field of the request is wrong, by its path in the message of Dapr's gRPC API, and what to do about it.
func (e *APIError) About(field, help string) *APIError {
	e.Field = field
	return e.WithHelp(help)
}

// helpDetail is the detail of a status that has the help of e, or nil if there is none.
func (e *APIError) helpDetail() protoadapt.MessageV1 {
	switch {
	case e.Field != "":
		return &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: e.Field, Description: e.Help}}}
	case e.Help != "":
		return &errdetails.Help{Links: []*errdetails.Help_Link{{Description: e.Help}}}
	}
	return nil
}

// An UnreachableError is that no scheduler could be asked: it may be tried again. Its code is Unavailable.
type UnreachableError struct{ Text string }

func (e *UnreachableError) Error() string { return e.Text }

// GRPCStatus is the status of e. The grpc package asks for it.
func (e *UnreachableError) GRPCStatus() *status.Status { return status.New(codes.Unavailable, e.Text) }

// A HelpfulError is an error whose text is Dapr's, with help for a person.
type HelpfulError struct{ Text, Help string }

func (e *HelpfulError) Error() string { return e.Text }

// failed is the error of a call that failed with err, behind a text of Dapr's.
func failed(reason Reason, target job.Target, text string, err error) *APIError {
	e := NewAPIError(reason, target, text+err.Error())
	if h, ok := errors.AsType[*HelpfulError](err); ok {
		e.Help = h.Help
	} else {
		e.Help = helpCode(status.Code(err))
	}
	if u, ok := errors.AsType[*UnreachableError](err); ok {
		e.Code = u.GRPCStatus().Code()
		e.HTTP = httpStatus(e.Code)
	}
	return e
}

// helpCode says what a scheduler's code asks for, where its text does not.
func helpCode(code codes.Code) string {
	switch code {
	case codes.Unauthenticated:
		return "the scheduler asks for a certificate: start this sidecar with --enable-mtls"
	case codes.PermissionDenied:
		return "by its certificate, this sidecar is that of another app or namespace: correct --app-id or NAMESPACE, or give it its own certificate"
	case codes.DeadlineExceeded:
		return "the scheduler has not answered in time, and may have carried it out: look before you try again, and into its log and health"
	case codes.Unimplemented:
		return "the scheduler does not know this call: use a newer one"
	default:
		return ""
	}
}

// HelpGet adds help to the error of a get call for the job of that name, which failed with err.
func (e *APIError) HelpGet(err error, target job.Target, name string) *APIError {
	if status.Code(err) == codes.NotFound {
		return e.About("name", fmt.Sprintf("the app %.100q has no job of the name %.100q: it was not scheduled for that app, was deleted, or has fired for the last time", target.Name, name))
	}
	return e
}

// HelpSchedule adds help to the error of a schedule call that asked a scheduler for r and failed with err: what the words
// of r need, as of now, or how else to have it accepted. It works with any scheduler.
func (e *APIError) HelpSchedule(err error, r *schedulerv1.ScheduleJobRequest, now time.Time) *APIError {
	switch code := status.Code(err); {
	case code == codes.AlreadyExists:
		return e.About("overwrite", fmt.Sprintf("the app %.100q has a job of the name %.100q: set overwrite to true to replace it, delete it first, or choose another name", r.GetMetadata().GetAppId(), r.GetName()))
	case code == codes.ResourceExhausted && strings.Contains(err.Error(), "larger than max"):
		return e.About("job.data", fmt.Sprintf("a job with %d bytes of data is too large, however often it is sent: keep the data elsewhere, and send where it is", len(r.GetJob().GetData().GetValue())))
	case code == codes.Unknown || code == codes.InvalidArgument:
		if invalid, ok := errors.AsType[*job.InvalidError](invalid(r, now)); ok {
			return e.About("job."+invalid.Field, cmp.Or(invalid.Help, strings.TrimPrefix(invalid.Reason, "job failed validation: ")))
		}
	}
	return e
}

// invalid returns what is wrong with what r asks for.
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

// Malformed is the error of a request whose body cannot be read as a job, as err says.
func Malformed(target job.Target, err error, body []byte) *APIError {
	return NewAPIError(ReasonMalformed, target, "failed deserializing HTTP body: "+err.Error()).WithHelp(helpMalformed(err.Error(), body))
}

// MalformedBatch is the error of a batch that is not an array in JSON, as err says.
func MalformedBatch(target job.Target, err error) *APIError {
	return Malformed(target, err, nil).WithHelp(`send one array, as in [{"name": "a", "dueTime": "30s"}, …], with commas only between ` +
		`jobs and nothing after it; a job on each line, with Content-Type: application/x-ndjson; or for one job POST /v1.0/jobs/NAME`)
}

var (
	wrongDuration = regexp.MustCompile(`invalid google\.protobuf\.Duration value (".*")`)
	wrongValue    = regexp.MustCompile(`invalid value for (\w+) field (\w+): (.*)$`)
	wrongNumber   = regexp.MustCompile(`invalid google\.protobuf\.Value: (-?\d.*)$`)
	repeatedKey   = regexp.MustCompile(`duplicate map key (".*")$`)
)

// helpMalformed says what to write in the place of what the parser of body complains about.
func helpMalformed(text string, body []byte) string {
	if m := wrongDuration.FindStringSubmatch(text); m != nil {
		help := `the interval of a failurePolicy is in seconds, such as "1.5s"`
		if value, err := strconv.Unquote(m[1]); err == nil {
			if d, err := time.ParseDuration(value); err == nil {
				help = fmt.Sprintf("the interval of a failurePolicy is in seconds, unlike dueTime: write %q", strconv.FormatFloat(d.Seconds(), 'f', -1, 64)+"s")
			}
		}
		return help
	}
	if m := wrongValue.FindStringSubmatch(text); m != nil {
		switch kind, field, value := m[1], m[2], brief.To(m[3], 100); kind {
		case "string":
			return fmt.Sprintf("%s is a text in quotes, and not %s", field, value)
		case "uint32":
			return fmt.Sprintf("%s is a whole number from 0 to 4294967295, and not %s", field, value)
		case "bool":
			return fmt.Sprintf("%s is true or false without quotes, and not %s", field, value)
		}
	}
	if m := wrongNumber.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("the number %s in data is too large here: send it as a string", brief.To(m[1], 100))
	}
	if m := repeatedKey.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("an object in data has the key %s twice: give each key once", brief.To(m[1], 100))
	}
	valid := json.Valid(body)
	early := strings.Contains(text, "unexpected EOF")
	if valid && (early || strings.Contains(text, "invalid escape code")) { // both have that grammar, but for this
		return `a text has one half of a surrogate pair, such as "\ud83d": write both, as in "\ud83d\ude00", or the character itself`
	}
	if early {
		return "the body ends too early: close each text, array and object"
	}
	if interval := findInterval(body); valid && len(interval) > 0 && interval[0] != '"' && strings.Contains(text, "unexpected token") {
		return fmt.Sprintf(`the interval of a failurePolicy is a quoted text such as "5s", and not %s`, brief.To(string(interval), 100))
	}
	if strings.Contains(text, "duplicate field") || strings.Contains(text, "oneof") {
		return "give each field once, in one spelling, and one kind of failurePolicy"
	}
	return `send a JSON object such as {"dueTime": "30s", "data": {"order": 7}}; a failurePolicy is {"drop": {}} or {"constant": {"interval": "5s", "maxRetries": 3}}`
}

// findInterval returns the interval of the failure policy in a body, which must be valid JSON; empty if there is none.
func findInterval(body []byte) []byte {
	find := func(object []byte, names ...string) (found []byte) {
		members(object, func(key, value []byte) {
			if slices.Contains(names, string(key)) {
				found = value
			}
		})
		return found
	}
	policy := find(body, "failurePolicy", "failure_policy")
	if policy == nil {
		policy = find(find(body, "job"), "failurePolicy", "failure_policy")
	}
	return bytes.TrimSpace(find(find(policy, "constant"), "interval"))
}

// HelpEmpty adds help to e, the error of a job in the body text that does not say when it is due: why what it says is ignored.
func (e *APIError) HelpEmpty(b Body, text []byte) *APIError {
	if e.Reason != ReasonScheduleEmpty {
		return e
	}
	fields := (*internalsv1.JobHTTPRequest)(nil).ProtoReflect().Descriptor().Fields()
	var object, inner []byte
	var beside []string
	members(text, func(key, value []byte) {
		if string(key) == "job" {
			object = value
		} else if f := known(fields, string(key)); f != nil && f.Name() != "name" {
			beside = append(beside, strconv.Quote(f.JSONName()))
		}
	})
	switch {
	case object == nil:
		return e
	case object[0] != '{':
		return e.WithHelp(`"job" is ignored, as it is no object: give {"job": {"dueTime": "30s"}}, or {"dueTime": "30s"}`)
	case b.Form == FlatBody:
		return e.WithHelp(fmt.Sprintf(`the object "job" is ignored because of what stands beside it: move %s into "job"`, strings.Join(beside, " and ")))
	}
	members(object, func(key, value []byte) {
		if string(key) == "job" {
			inner = value
		}
	})
	if inner != nil {
		return e.WithHelp(`the "job" within "job" is ignored: give {"job": {"dueTime": "30s"}}, or {"dueTime": "30s"}`)
	}
	return e
}
