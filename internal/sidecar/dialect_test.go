package sidecar_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/sidecar"
)

// The commands of the published page, verbatim.
const (
	curlSchedule = `curl -X POST http://localhost:3500/v1.0-alpha1/jobs/jobforjabba \
  -H "Content-Type: application/json" -H 'dapr-app-id: sub' \
  -d '{ "job": { "data": { "@type": "type.googleapis.com/google.type.Expr", "expression": "expression1" }, "dueTime": "30s" } }'`
	curlGet    = `curl -X GET http://localhost:3500/v1.0-alpha1/job/test1 -H "Content-Type: application/json" -H 'dapr-app-id: sub'`
	curlDelete = `curl -X DELETE http://localhost:3500/v1.0-alpha1/jobs/test -H "Content-Type: application/json" -H 'dapr-app-id: sub'`
)

// curl executes a command as a shell and curl would.
func (f *fixture) curl(command string) answer {
	f.t.Helper()
	var method, target, body string
	var headers []string
	words := shellWords(strings.ReplaceAll(command, "\\\n", ""))
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-X":
			i++
			method = words[i]
		case "-H":
			i++
			headers = append(headers, words[i])
		case "-d":
			i++
			body = words[i]
		default:
			u, err := url.Parse(words[i])
			if err != nil {
				f.t.Fatal(err)
			}
			target = u.EscapedPath()
		}
	}
	return f.send(method, target, body, headers...)
}

func shellWords(s string) (words []string) {
	var word strings.Builder
	var quote rune
	for _, r := range s + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case quote == 0 && r == ' ':
			if word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return words
}

func TestPublishedCommandsWork(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})

		got := f.curl(curlSchedule)
		if got.code != 202 || got.body != "" {
			t.Errorf("schedule = %d %q, want 202 and no body", got.code, got.body)
		}
		j := f.scheduler.job("default|sub|jobforjabba")
		if j.GetJob().GetDueTime() != "30s" {
			t.Fatalf("the scheduler got %v, want a job due in 30s", j)
		}

		f.send("POST", "/v1.0-alpha1/jobs/test1",
			`{"job":{"data":{"@type":"type.googleapis.com/google.type.Expr","expression":"expression1"},"dueTime":"30s"}}`)
		got = f.curl(curlGet)
		want := `{"name":"test1","dueTime":"30s","data":{"@type":"type.googleapis.com/google.type.Expr","expression":"expression1"}}`
		if got.code != 202 || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("get = %d %q, want 202 application/json", got.code, got.header)
		}
		if diff := cmp.Diff(decode(t, want), decode(t, got.body)); diff != "" {
			t.Errorf("get: unexpected body (-want +got):\n%s", diff)
		}

		f.send("POST", "/v1.0-alpha1/jobs/test", `{"dueTime":"30s"}`)
		got = f.curl(curlDelete)
		if got.code != 202 || got.body != "" {
			t.Errorf("delete = %d %q, want 202 and no body", got.code, got.body)
		}
		if f.scheduler.job("default|sub|test") != nil {
			t.Error("the job is still there")
		}
	})
}

func decode(t *testing.T, s string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v in %q", err, s)
	}
	return v
}

func TestDialectDecidesSuccessStatus(t *testing.T) {
	const (
		flat    = `{"dueTime":"1s","data":{"k":1}}`
		wrapped = `{"job":{"dueTime":"1s","data":{"k":1}}}`
		asGiven = `{"k":1}`
		inAny   = `{"@type":"type.googleapis.com/google.protobuf.Value","value":{"k":1}}`
		header  = "dapr-app-id: sub"
	)
	for _, prefix := range []string{"/v1.0/", "/v1.0-alpha1/"} {
		for _, c := range []struct {
			name, noun, body string
			headers          []string
			post, get, del   int
			data             string
		}{
			{"today", "jobs", flat, nil, 204, 200, 204, inAny},
			{"the header, flat", "jobs", flat, []string{header}, 202, 202, 202, asGiven},
			{"the header, wrapped", "jobs", wrapped, []string{header}, 202, 202, 202, asGiven},
			{"an empty header", "jobs", flat, []string{"dapr-app-id:"}, 204, 200, 204, inAny},
			{"the singular path, flat", "job", flat, nil, 202, 202, 202, asGiven},
			{"the wrapper alone", "jobs", wrapped, nil, 202, 200, 204, inAny},
		} {
			t.Run(prefix+c.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					f := start(t, sidecar.Config{})
					path := prefix + c.noun + "/a"
					if got := f.send("POST", path, c.body, c.headers...); got.code != c.post || got.body != "" {
						t.Errorf("POST = %d %q, want %d and no body", got.code, got.body, c.post)
					}
					got := f.send("GET", path, "", c.headers...)
					if got.code != c.get {
						t.Errorf("GET = %d, want %d", got.code, c.get)
					}
					want := decode(t, `{"name":"a","dueTime":"1s","data":`+c.data+`}`)
					if diff := cmp.Diff(want, decode(t, got.body)); diff != "" {
						t.Errorf("GET: unexpected body (-want +got):\n%s", diff)
					}
					if got := f.send("DELETE", path, "", c.headers...); got.code != c.del || got.body != "" {
						t.Errorf("DELETE = %d %q, want %d and no body", got.code, got.body, c.del)
					}
					if got := f.send("GET", path, "", c.headers...); got.code != 500 {
						t.Errorf("GET of a missing job = %d, want 500", got.code)
					}
					if got := f.send("DELETE", path, "", c.headers...); got.code != c.del {
						t.Errorf("DELETE of a missing job = %d, want %d", got.code, c.del)
					}
				})
			})
		}
	}
}

func TestHeaderSelectsApp(t *testing.T) {
	const post = `{"dueTime":"1s"}`
	for _, c := range []struct {
		name    string
		cfg     sidecar.Config
		headers []string
		code    int
		want    string // the app that got the job, or the error code
	}{
		{"one app, none named", sidecar.Config{}, nil, 204, "sub"},
		{"one app, named", sidecar.Config{}, []string{"dapr-app-id: sub"}, 202, "sub"},
		{"one app, another named", sidecar.Config{}, []string{"Dapr-App-Id: pub"}, 403, "ERR_APP_ID_FORBIDDEN"},
		{"one app, two named", sidecar.Config{}, []string{"dapr-app-id: sub", "dapr-app-id: pub"}, 400, "ERR_APP_ID_INVALID"},
		{"any app, none named", sidecar.Config{AnyApp: true, DefaultApp: "def"}, nil, 204, "def"},
		{"any app, named", sidecar.Config{AnyApp: true, DefaultApp: "def"}, []string{"dapr-app-id: pub"}, 202, "pub"},
		{"any app, named, no default", sidecar.Config{AnyApp: true}, []string{"dapr-app-id: pub"}, 202, "pub"},
		{"any app, none named, no default", sidecar.Config{AnyApp: true}, nil, 400, "ERR_APP_ID_MISSING"},
		{"any app, not UTF-8", sidecar.Config{AnyApp: true}, []string{"dapr-app-id: \xff"}, 400, "ERR_APP_ID_INVALID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, c.cfg)
				got := f.send("POST", "/v1.0/jobs/a", post, c.headers...)
				if got.code != c.code {
					t.Errorf("POST = %d %s, want %d", got.code, got.body, c.code)
				}
				if c.code < 300 {
					if f.scheduler.job("default|"+c.want+"|a") == nil {
						t.Errorf("the app %s has no job", c.want)
					}
					return
				}
				if e, _ := decode(t, got.body).(map[string]any); e["errorCode"] != c.want || e["message"] == "" {
					t.Errorf("POST: body %s, want the code %s and a message", got.body, c.want)
				}
				if calls := f.scheduler.took(); len(calls) > 0 {
					t.Errorf("the scheduler was asked: %v", calls)
				}
			})
		})
	}
}
