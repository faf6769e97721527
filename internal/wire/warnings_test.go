package wire_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protowire"

	"carillon/internal/job"
	"carillon/internal/when"
	"carillon/internal/wire"
)

const jobFields = "name, schedule, repeats, dueTime, ttl, data, overwrite, failurePolicy"

func TestIgnoredPartsOfBodyAreWarnedOf(t *testing.T) {
	unknown := func(field, known string) string {
		return `the field "` + field + `" is ignored, as it is not known: there are ` + known
	}
	both := `the object "job" is ignored: the body has fields of a job beside it; give them in one of the two places`
	for body, want := range map[string][]string{
		`{"schedule":"@daily"}`:                                                          nil,
		` { "due_time" : "5s" , "data" : null } `:                                        nil,
		`{"job":{"dueTime":"5s","data":{"x":1}}}`:                                        nil,
		`{"name":"a","job":{"dueTime":"5s"}}`:                                            nil,
		`{"dueTime":"5s","data":{"job":{"q":"}"}}}`:                                      nil,
		`{"dueTime":"5s","\u0074tl":"1m"}`:                                               nil,
		`{"dueTime":"5s","duetime":"6s"}`:                                                {unknown("duetime", jobFields)},
		`{"job":{"dueTime":"5s","retries":[1,{"a":"]"}]}}`:                               {unknown("job.retries", jobFields)},
		`{"x":"\"","job":{"dueTime":"5s"}}`:                                              {unknown("x", jobFields)},
		`{"dueTime":"5s","job":{"dueTime":"6s"}}`:                                        {both},
		`{"job":{"dueTime":"6s"},"overwrite":true,"dueTime":"5s","payload":1}`:           {both, unknown("payload", jobFields)},
		`{"dueTime":"5s","failurePolicy":{"constant":{"interval":"1s","maxRetries":2}}}`: nil,
		`{"dueTime":"5s","failure_policy":{"drop":{}}}`:                                  nil,
		`{"dueTime":"5s","failurePolicy":{"konstant":{"interval":"1s"}}}`:                {unknown("failurePolicy.konstant", "drop, constant")},
		`{"job":{"dueTime":"5s","failurePolicy":{"constant":{"retries":2}}}}`:            {unknown("job.failurePolicy.constant.retries", "interval, maxRetries")},
	} {
		_, b, err := wire.ParseAPIBody([]byte(body), nil)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if got := b.Warnings([]byte(body)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestWarningsOfBodyAreFewAndShort(t *testing.T) {
	var b strings.Builder
	for range 10_000 {
		b.WriteString(`,"` + strings.Repeat("\u20ac", 300) + `":1`)
	}
	body := []byte(`{"dueTime":"5s"` + b.String() + `}`)
	got := wire.Body{Form: wire.FlatBody}.Warnings(body)
	if len(got) != 8 {
		t.Errorf("%d warnings, want 8", len(got))
	}
	for _, d := range got {
		if len(d) > 800 || strings.ContainsFunc(d, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%d bytes: %q", len(d), d)
		}
	}
}

func FuzzWarningsOfBodyNeverPanic(f *testing.F) {
	f.Add([]byte(`{"a\\":"\"","job":{"b":[{}]},"failurePolicy":{"c":1}}`))
	f.Fuzz(func(_ *testing.T, body []byte) {
		if _, b, err := wire.ParseAPIBody(body, nil); err == nil {
			b.Warnings(body)
		}
	})
}

func TestIgnoredPartsOfMessageAreWarnedOf(t *testing.T) {
	r := &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{Name: "a", FailurePolicy: &commonv1.JobFailurePolicy{}}}
	r.GetJob().ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
	want := []string{
		"field 99 of the job is ignored, as it is not known: the client speaks another version of the API",
		"the failure policy is ignored, as it is neither constant nor drop: what fails is tried again three times, a second apart",
	}
	if got := wire.MessageWarnings(r); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	r = &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{Name: "a"}}
	if got := wire.MessageWarnings(r); len(got) > 0 {
		t.Errorf("a plain message: %q", got)
	}
}

func TestWarningNamesItsFieldOverGRPC(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	warnings := when.Words{Schedule: new("@daily"), TTL: new("PT30s")}.Warnings(now)
	for what, e := range map[string]*wire.APIError{
		"meaningless": wire.Meaningless(job.Target{}, warnings),
		"strict":      wire.Strict(job.Target{}, []string{"something"}, warnings),
	} {
		details := e.GRPCStatus().Details()
		bad, ok := details[len(details)-1].(*errdetails.BadRequest)
		if !ok || bad.GetFieldViolations()[0].GetField() != "job.ttl" || !strings.HasPrefix(bad.GetFieldViolations()[0].GetDescription(), `ttl "PT30s" says nothing`) {
			t.Errorf("%s: %v, want a field violation of job.ttl", what, details)
		}
		if !strings.Contains(e.Message, `ttl "PT30s" says nothing`) || strings.Contains(string(e.Body()), `"help"`) {
			t.Errorf("%s: %s, want that it is said once", what, e.Body())
		}
	}
	if e := wire.Strict(job.Target{}, []string{"something"}, nil); e.Message != "failed to schedule job due to: something (refused because of --strict)" || e.Field != "" {
		t.Errorf("%v about %q", e, e.Field)
	}
}
