package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	internalsv1 "github.com/dapr/dapr/pkg/proto/internals/v1"

	"carillon/internal/job"
	"carillon/internal/jsonvalue"
	"carillon/internal/truncate"
)

// Malformed returns the error of a request whose body is no job, because of err. It says what to
// write instead.
func Malformed(target job.Target, err error, body []byte) *APIError {
	return NewAPIError(ReasonMalformed, target, "failed deserializing HTTP body: "+err.Error()).WithHelp(helpMalformed(err.Error(), body))
}

// MalformedBatch returns the error of a batch that is no JSON array, because of err.
func MalformedBatch(target job.Target, err error) *APIError {
	return Malformed(target, err, nil).WithHelp(`send one array, as in [{"name": "a", "dueTime": "30s"}, …], with commas only between ` +
		`jobs and nothing after it; a job on each line, with Content-Type: application/x-ndjson; or for one job POST /v1.0/jobs/NAME`)
}

// InvalidExt returns the error of a job whose ext breaks a rule: err is from [ParseAPIBody].
func InvalidExt(target job.Target, err *job.InvalidError) *APIError {
	return NewAPIError(ReasonSchedule, target, "failed to schedule job due to: "+err.Reason).AsInvalid().About("job."+err.Field, err.Help)
}

var (
	wrongDuration = regexp.MustCompile(`invalid google\.protobuf\.Duration value (".*")`)
	wrongValue    = regexp.MustCompile(`invalid value for (\w+) field (\w+): (.*)$`)
	wrongNumber   = regexp.MustCompile(`invalid google\.protobuf\.Value: (-?\d.*)$`)
	repeatedKey   = regexp.MustCompile(`duplicate map key (".*")$`)
)

// helpMalformed returns what to write in place of the part of body that its parser refuses.
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
		switch kind, field, value := m[1], m[2], truncate.To(m[3], 100); kind {
		case "string":
			return fmt.Sprintf("%s is a text in quotes, and not %s", field, value)
		case "uint32":
			return fmt.Sprintf("%s is a whole number from 0 to 4294967295, and not %s", field, value)
		case "bool":
			return fmt.Sprintf("%s is true or false without quotes, and not %s", field, value)
		}
	}
	if m := wrongNumber.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("the number %s in data is too large here: send it as a string", truncate.To(m[1], 100))
	}
	if m := repeatedKey.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("an object in data has the key %s twice: give each key once", truncate.To(m[1], 100))
	}
	valid := json.Valid(body)
	early := strings.Contains(text, "unexpected EOF")
	// proto-JSON refuses valid JSON only for this.
	if valid && (early || strings.Contains(text, "invalid escape code")) {
		return `a text has one half of a surrogate pair, such as "\ud83d": write both, as in "\ud83d\ude00", or the character itself`
	}
	if early {
		return "the body ends too early: close each text, array and object"
	}
	if interval := findInterval(body); valid && len(interval) > 0 && interval[0] != '"' && strings.Contains(text, "unexpected token") {
		return fmt.Sprintf(`the interval of a failurePolicy is a quoted text such as "5s", and not %s`, truncate.To(string(interval), 100))
	}
	if strings.Contains(text, "duplicate field") || strings.Contains(text, "oneof") {
		return "give each field once, in one spelling, and one kind of failurePolicy"
	}
	return `send a JSON object such as {"dueTime": "30s", "data": {"order": 7}}; a failurePolicy is {"drop": {}} or {"constant": {"interval": "5s", "maxRetries": 3}}`
}

// findInterval returns the source text of the interval of the failure policy in a body, which is
// valid JSON; empty if there is none.
func findInterval(body []byte) []byte {
	policy := jsonvalue.Member(body, "failurePolicy", "failure_policy")
	if policy == nil {
		policy = jsonvalue.Member(jsonvalue.Member(body, "job"), "failurePolicy", "failure_policy")
	}
	return bytes.TrimSpace(jsonvalue.Member(jsonvalue.Member(policy, "constant"), "interval"))
}

// HelpEmpty adds help to e if it is the error of a job without a due time and a schedule: which
// part of the body text is ignored, and why.
func (e *APIError) HelpEmpty(b Body, text []byte) *APIError {
	if e.Reason != ReasonScheduleEmpty {
		return e
	}
	fields := (*internalsv1.JobHTTPRequest)(nil).ProtoReflect().Descriptor().Fields()
	var object []byte
	var beside []string
	jsonvalue.Members(text, func(key, value []byte) {
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
	if jsonvalue.Member(object, "job") != nil {
		return e.WithHelp(`the "job" within "job" is ignored: give {"job": {"dueTime": "30s"}}, or {"dueTime": "30s"}`)
	}
	return e
}
