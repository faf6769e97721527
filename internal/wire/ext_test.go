package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// extBodies are bodies that have this JSON as the ext of their job, in each form and each way of
// reading.
func extBodies(ext string) []string {
	return []string{
		`{"dueTime":"1s","ext":` + ext + `}`,
		`{"ext":` + ext + `,"dueTime":"1s","data":[1,2]}`,
		`{"job":{"dueTime":"1s","ext":` + ext + `}}`,
		`{"job":{"ext": ` + ext + ` ,"dueTime":"1s"}}`,
		`{"dueTime":"1s","ext":` + ext + `,"unknown":1}`, // proto-JSON reads it
		`{"job":{"due_time":"1s","\u0065xt":` + ext + `}}`,
	}
}

func TestExtIsReadFromEachBodyForm(t *testing.T) {
	for text, want := range map[string]*job.Ext{
		`null`: nil, `{}`: nil, `{"labels":{}}`: nil, `{"labels":null,"description":null}`: nil, `{"description":""}`: nil,
		`{"labels":{"team":"billing"}}`: {Labels: []job.Label{{Key: "team", Value: "billing"}}},
		` { "description" : "two\nlines, \"quoted\" \u00fc" , "labels" : { "z" : "" , "example.com/a" : "1" } } `: {
			Labels: []job.Label{{Key: "example.com/a", Value: "1"}, {Key: "z"}}, Description: "two\nlines, \"quoted\" ü",
		},
	} {
		for _, body := range extBodies(text) {
			r, b, err := wire.ParseAPIBody([]byte(body), nil)
			if err != nil || !reflect.DeepEqual(b.Ext, want) || r.GetJob().GetDueTime() != "1s" {
				t.Errorf("%s: %v, %+v, %v; want %+v", body, r, b.Ext, err, want)
			}
			for _, w := range b.Warnings([]byte(body)) {
				if strings.Contains(w, "ext") {
					t.Errorf("%s: there is the warning %q", body, w)
				}
			}
		}
	}
	for _, body := range []string{`{"dueTime":"1s"}`, `{"job":{"dueTime":"1s"}}`, `{}`, ``, `{"dueTime":"1s","data":{"ext":{"x":1}}}`} {
		if _, b, err := wire.ParseAPIBody([]byte(body), nil); err != nil || b.Ext != nil {
			t.Errorf("%s: %+v, %v; want no ext", body, b.Ext, err)
		}
	}
}

func TestWrongExtNamesFieldAndRule(t *testing.T) {
	many := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"k%d":"v"`, i))
		}
		return `{"labels":{` + strings.Join(all, ",") + `}}`
	}
	for text, want := range map[string][3]string{ // the field, and parts of the message and the help
		`7`:                                 {"ext", "ext: it is 7", "give an object"},
		`[]`:                                {"ext", "ext: it is []", "give an object"},
		`{"lables":{"a":"b"}}`:              {"ext.lables", `ext.lables: there is no field "lables"`, `did you mean "labels"?`},
		`{"retry":{}}`:                      {"ext.retry", `there is no field "retry"`, "there are labels and description"},
		`{"":1}`:                            {"ext", `ext: there is no field ""`, "there are labels and description"},
		`{"labels":["a"]}`:                  {"ext.labels", `ext.labels: it is ["a"]`, "give an object"},
		`{"labels":{"a":1}}`:                {"ext.labels", `the value of "a" is 1`, "give a text in quotes"},
		`{"labels":{"a":null}}`:             {"ext.labels", `the value of "a" is null`, "give a text in quotes"},
		`{"labels":{"a b":"c"}}`:            {"ext.labels", `the key "a b" is malformed`, "at most 63 letters, digits"},
		`{"labels":{"a":"b c"}}`:            {"ext.labels", `the value "b c" of "a" is malformed`, "at most 63 letters, digits"},
		`{"labels":{"a":"b","a":"c"}}`:      {"ext.labels", `the key "a" is there twice`, "once"},
		`{"labels":{"a":"b","\u0061":"c"}}`: {"ext.labels", `the key "a" is there twice`, "once"},
		`{"labels":{},"labels":{}}`:         {"ext", `the key "labels" is there twice`, "once"},
		`{"description":7}`:                 {"ext.description", "ext.description: it is 7", "give a text in quotes"},
		`{"description":"` + strings.Repeat("x", job.MaxDescription+1) + `"}`: {"ext.description", "it has 1025 bytes", "give 1024 at most"},
		many(33):     {"ext.labels", "there are more than 32 labels", "give fewer"},
		many(10_000): {"ext.labels", "there are more than 32 labels", "give fewer"},
	} {
		for _, body := range extBodies(text) {
			r, b, err := wire.ParseAPIBody([]byte(body), nil)
			invalid, ok := errors.AsType[*job.InvalidError](err)
			if !ok || r != nil || b != (wire.Body{}) || invalid.Field != want[0] || !strings.Contains(invalid.Reason, want[1]) || !strings.Contains(invalid.Help, want[2]) {
				t.Errorf("%.200s: %v, %+v, %#v; want %q", body, r, b, err, want)
				continue
			}
			e := wire.InvalidExt(job.Target{Kind: job.App, Namespace: "ns", Name: "app"}, invalid)
			if e.HTTP != 400 || e.Reason != wire.ReasonSchedule || e.Field != "job."+want[0] ||
				!strings.HasPrefix(e.Message, "failed to schedule job due to: ext") || e.Help != invalid.Help {
				t.Errorf("%.200s: %+v", body, e)
			}
		}
	}
}

func TestExtIsGivenOnceInItsPlace(t *testing.T) {
	for body, want := range map[string]string{
		`{"job":{"dueTime":"1s"},"ext":{"labels":{"a":"b"}}}`:    `move it into "job"`,
		`{"ext":{},"job":{"dueTime":"1s","ext":{}}}`:             `move it into "job"`,
		`{"dueTime":"1s","ext":{},"ext":{}}`:                     "give it once",
		`{"job":{"ext":{},"dueTime":"1s","ext":{"labels":{}}}}`:  "give it once",
		`{"job":{"ext":{},"dueTime":"1s","\u0065xt":{}},"x":[]}`: "give it once",
	} {
		_, _, err := wire.ParseAPIBody([]byte(body), nil)
		if invalid, ok := errors.AsType[*job.InvalidError](err); !ok || !strings.Contains(invalid.Help, want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

func TestExtIsRendered(t *testing.T) {
	j := &runtimev1.Job{Name: "a", DueTime: new("1s")}
	for want, ext := range map[string]*job.Ext{
		`{"name":"a","dueTime":"1s"}`:                                      nil,
		`{"name":"a","dueTime":"1s","ext":{"labels":{"a":"","z":"<1>"}}}`:  {Labels: []job.Label{{Key: "a"}, {Key: "z", Value: "<1>"}}},
		`{"name":"a","dueTime":"1s","ext":{"description":"<b>\"x\"</b>"}}`: {Description: `<b>"x"</b>`},
	} {
		if got, err := wire.RenderAPIJob(j, ext, true); err != nil || string(got) != want {
			t.Errorf("%+v is rendered as %s, %v; want %s", ext, got, err, want)
		}
	}
}

// wantSameExt holds that an ext is read as it is rendered.
func wantSameExt(t *testing.T, want *job.Ext) {
	t.Helper()
	out, err := wire.RenderAPIJob(&runtimev1.Job{DueTime: new("1s")}, want, true)
	if err != nil || !json.Valid(out) {
		t.Fatalf("%+v is rendered as %s, %v", want, out, err)
	}
	if _, b, err := wire.ParseAPIBody(out, nil); err != nil || !reflect.DeepEqual(b.Ext, want) {
		t.Errorf("%s is read as %+v, %v; want %+v", out, b.Ext, err, want)
	}
}
