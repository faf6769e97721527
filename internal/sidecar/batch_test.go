package sidecar_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"carillon/internal/sidecar"
)

const (
	batchPath = "/v1/jobs/batch"
	asLines   = "Content-Type: application/x-ndjson; charset=utf-8"
)

// eitherScheduler runs a test with a scheduler of ours, and with one of Dapr's.
func eitherScheduler(t *testing.T, cfg sidecar.Config, test func(f *fixture)) {
	t.Helper()
	t.Run("ours", func(t *testing.T) {
		bubble(t, func(t *testing.T) { f, _ := startBulk(t, cfg); test(f) })
	})
	t.Run("Dapr's", func(t *testing.T) {
		bubble(t, func(t *testing.T) { test(start(t, cfg)) })
	})
}

const (
	taken     = `{"errorCode":"DAPR_SCHEDULER_SCHEDULE_JOB","message":"failed to schedule job due to: rpc error: code = AlreadyExists desc = job already exists: 'default|sub|a'","help":"the app \"sub\" has a job of the name \"a\": set overwrite to true to replace it, delete it first, or choose another name","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":{"appID":"sub","namespace":"default"},"reason":"DAPR_SCHEDULER_SCHEDULE_JOB"}]}`
	nameless  = `{"errorCode":"DAPR_SCHEDULER_JOB_NAME_EMPTY","message":"Name is empty","help":"name the job: in the path, as in /v1.0/jobs/NAME; over gRPC and in a batch, in the field name","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":{"appID":"sub","namespace":"default"},"reason":"DAPR_SCHEDULER_JOB_NAME_EMPTY"}]}`
	timeless  = `{"errorCode":"DAPR_SCHEDULER_SCHEDULE_EMPTY","message":"Schedule is empty","help":"give dueTime, such as \"30s\", or schedule, such as \"@every 5m\", or both","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":{"appID":"sub","namespace":"default"},"reason":"DAPR_SCHEDULER_SCHEDULE_EMPTY"}]}`
	notAnItem = `"error":{"errorCode":"ERR_MALFORMED_REQUEST","message":"failed deserializing HTTP body: `
)

func TestBatchResultsAreInOrder(t *testing.T) {
	jobs := []string{
		`{"name":"a","dueTime":"1h","data":{"n":1}}`,
		`{"name":"a","schedule":"@daily"}`,
		`{"name":"a","dueTime":"2h","overwrite":true}`,
		`{"dueTime":"1h"}`,
		`{"name":"b","job":{"schedule":"@hourly"}}`,
		`{"job":{"name":"c","schedule":"@hourly"}}`,
		`{"name":"d"}`,
	}
	results := []string{
		`{"name":"a","status":204}`,
		`{"name":"a","status":409,"error":` + taken + `}`,
		`{"name":"a","status":204}`,
		`{"status":400,"error":` + nameless + `}`,
		`{"name":"b","status":204}`,
		`{"name":"c","status":204}`,
		`{"name":"d","status":400,"error":` + timeless + `}`,
	}
	eitherScheduler(t, sidecar.Config{}, func(f *fixture) {
		t := f.t
		for _, way := range []struct{ header, begin, between, end string }{
			{"Content-Type: application/json", "[", ",", "]"},
			{asLines, "", "\n", "\n"},
		} {
			got := f.send("POST", batchPath, way.begin+strings.Join(jobs, way.between)+way.end, way.header)
			want := way.begin + strings.Join(results, way.between) + way.end
			if diff := cmp.Diff(want, got.body); diff != "" || got.code != 207 {
				t.Errorf("%s: %d (-want +got):\n%s", way.header, got.code, diff)
			}
			if media := got.header.Get("Content-Type"); !strings.HasPrefix(way.header, "Content-Type: "+media) {
				t.Errorf("%s: answered as %s", way.header, media)
			}
			if due := f.scheduler.job("default|sub|a").GetJob().GetDueTime(); due != "2h" {
				t.Errorf("the job is due in %q, want what came last, 2h", due)
			}
			f.scheduler.forget()
		}
	})
}

func TestAcceptedBatchIsOK(t *testing.T) {
	eitherScheduler(t, sidecar.Config{DefaultApp: "sub", AnyApp: true}, func(f *fixture) {
		for body, want := range map[string]string{
			"[]":                                "[]",
			` [ {"name":"a","dueTime":"1h"} ] `: `[{"name":"a","status":204}]`,
		} {
			if got := f.send("POST", batchPath, body, "dapr-app-id: other"); got.code != 200 || got.body != want {
				f.t.Errorf("%s: %d %s, want 200 %s", body, got.code, got.body, want)
			}
		}
		if f.scheduler.job("default|other|a") == nil {
			f.t.Error("the job is not that of the app in the header")
		}
		for body, want := range map[string]string{
			"":        "",
			"\n \r\n": "",
			"\n{\"name\":\"b\",\"dueTime\":\"1h\"}\r\n\n": "{\"name\":\"b\",\"status\":204}\n",
			`{"name":"c","dueTime":"1h"}`:                 "{\"name\":\"c\",\"status\":204}\n",
		} {
			if got := f.send("POST", batchPath, body, asLines); got.code != 200 || got.body != want {
				f.t.Errorf("%q: %d %s, want 200 %s", body, got.code, got.body, want)
			}
		}
	})
}

func TestMalformedArraySchedulesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		for _, body := range []string{
			"", "null", "{}", "[", `{"name":"a","dueTime":"1h"}`, `[{"name":"a","dueTime":"1h"}`, `[{"name":"a","dueTime":"1h"},]`,
			`[{"name":"a","dueTime":"1h"}] x`,
		} {
			got := f.send("POST", batchPath, body)
			if got.code != 400 || !strings.HasPrefix(got.body, `{"errorCode":"ERR_MALFORMED_REQUEST","message":"failed deserializing HTTP body: `) {
				t.Errorf("%s: %d %s", body, got.code, got.body)
			}
			if !strings.Contains(got.body, `"help":"send one array, as in [`) {
				t.Errorf("%s: %s, want the help to send an array", body, got.body)
			}
			if whole := json.Valid([]byte(body)); whole != strings.Contains(got.body, "not an array of jobs; for a job on each line say") {
				t.Errorf("%s: %s", body, got.body)
			}
		}
		if groups := bulk.seen(); len(groups) != 0 || len(f.scheduler.calls) != 0 {
			t.Errorf("scheduled %v, %v", groups, f.scheduler.calls)
		}
		got := f.send("POST", batchPath, `[1,{"name":"a","dueTime":"1h"},{"name":7}]`)
		parts := strings.Split(got.body, ",{")
		if got.code != 207 || len(parts) != 3 || !strings.Contains(parts[0], notAnItem) || parts[1] != `"name":"a","status":204}` ||
			!strings.Contains(parts[2], notAnItem) {
			t.Errorf("an array of something else: %d %s", got.code, got.body)
		}
	})
}

func TestBadLineIsRefusedAlone(t *testing.T) {
	eitherScheduler(t, sidecar.Config{MaxBody: 100 << 10}, func(f *fixture) {
		long := `{"name":"long","dueTime":"1h","data":"` + strings.Repeat("x", 200<<10) + `"}`
		fits := `{"name":"fits","dueTime":"1h","data":"` + strings.Repeat("x", 90<<10) + `"}`
		got := f.send("POST", batchPath, strings.Join([]string{"{", fits, long, `{"name":"a","dueTime":"1h"}`, long}, "\n"), asLines)
		lines := strings.Split(got.body, "\n")
		tooLong := `{"status":400,"error":{"errorCode":"ERR_BODY_READ","message":"failed to read request body: stream too large","help":"a request has at most 102400 bytes: send less, or raise --max-body-size"}}`
		if got.code != 207 || len(lines) != 6 || !strings.Contains(lines[0], notAnItem) {
			f.t.Fatalf("%d %s", got.code, got.body)
		}
		want := []string{`{"name":"fits","status":204}`, tooLong, `{"name":"a","status":204}`, tooLong, ""}
		if diff := cmp.Diff(want, lines[1:]); diff != "" {
			f.t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestOversizedBatchIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{MaxBody: 16 << 20})
		const most = 100_000
		line := `{"name":"a","dueTime":"1h","overwrite":true}`
		tooMany := `{"errorCode":"ERR_TOO_MANY_JOBS","message":"a batch has at most 100000 jobs: send several"}`
		got := f.send("POST", batchPath, "["+strings.Repeat(line+",", most)+line+"]")
		if got.code != 413 || got.body != tooMany {
			t.Errorf("an array: %d %s", got.code, got.body[:min(len(got.body), 200)])
		}
		if groups := bulk.seen(); len(groups) > 0 {
			t.Errorf("calls with %v jobs, want none", groups)
		}
		got = f.send("POST", batchPath, strings.Repeat(line+"\n", most+5), asLines)
		lines := strings.Split(got.body, "\n")
		if got.code != 207 || len(lines) != most+2 || lines[most-1] != `{"name":"a","status":204}` || lines[most] != `{"status":413,"error":`+tooMany+`}` {
			t.Errorf("lines: %d, %d of them", got.code, len(lines)-1)
		}
	})
}

func TestBatchIsRefusedLikeOtherCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, _ := startBulk(t, sidecar.Config{APIToken: "secret"})
		one := `[{"name":"a","dueTime":"1h"}]`
		for what, c := range map[string]struct {
			method, body string
			headers      []string
			code         int
		}{
			"no token":     {"POST", one, nil, 401},
			"another app":  {"POST", one, []string{"dapr-api-token: secret", "dapr-app-id: other"}, 403},
			"another verb": {"GET", "", []string{"dapr-api-token: secret"}, 404},
			"too large":    {"POST", "[" + strings.Repeat(" ", 4<<20) + "]", []string{"dapr-api-token: secret"}, 400},
			"a good one":   {"POST", one, []string{"dapr-api-token: secret"}, 200},
		} {
			if got := f.send(c.method, batchPath, c.body, c.headers...); got.code != c.code {
				t.Errorf("%s: %d %s, want %d", what, got.code, got.body, c.code)
			}
		}
	})
}

func TestJobMayBeNamedBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, _ := startBulk(t, sidecar.Config{})
		if got := f.send("POST", "/v1.0/jobs/batch", `{"dueTime":"1h"}`); got.code != 204 {
			t.Errorf("%d %s", got.code, got.body)
		}
		if f.scheduler.job("default|sub|batch") == nil {
			t.Error("it is not there")
		}
	})
}

func TestLinesAreScheduledWhileArriving(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, bulk := startBulk(t, sidecar.Config{})
		r, w := io.Pipe()
		answered := make(chan answer, 1)
		client := &http.Client{Transport: &http.Transport{DialContext: f.dialAny("sidecar:3500"), DisableKeepAlives: true}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+batchPath, r)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		go func() {
			var got answer
			defer func() { answered <- got }()
			res, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Error(err)
			}
			got = answer{code: res.StatusCode, body: string(body)}
		}()
		for i := range 3500 {
			if _, err := fmt.Fprintf(w, "{\"name\":\"job%d\",\"dueTime\":\"1h\"}\n", i); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if groups := bulk.seen(); len(groups) < 3 {
			t.Errorf("calls with %v jobs, while the client goes on", groups)
		}
		w.Close()
		if got := <-answered; got.code != 200 || strings.Count(got.body, "\n") != 3500 {
			t.Errorf("%d, %d lines", got.code, strings.Count(got.body, "\n"))
		}
	})
}

func TestLinesHaveMinutePerThousand(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "h2c"} {
		t.Run(protocol, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, sidecar.Config{})
				transport := &http.Transport{DialContext: f.dialAny("sidecar:3500"), Protocols: new(http.Protocols)}
				transport.Protocols.SetHTTP1(protocol == "HTTP/1.1")
				transport.Protocols.SetUnencryptedHTTP2(protocol == "h2c")
				client := &http.Client{Transport: transport}
				defer client.CloseIdleConnections()
				body, w := io.Pipe()
				const thousands = 6
				go func() {
					defer w.Close()
					for i := range thousands * 1000 {
						if i%1000 == 999 {
							time.Sleep(50 * time.Second)
						}
						if _, err := fmt.Fprintf(w, "{\"name\":\"job%d\",\"dueTime\":\"1h\"}\n", i); err != nil {
							t.Errorf("line %d: %v", i, err)
							return
						}
					}
				}()
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sidecar"+batchPath, body)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/x-ndjson")
				res, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				answer, err := io.ReadAll(res.Body)
				if err != nil {
					t.Error(err)
				}
				if got := strings.Count(string(answer), "\n"); res.StatusCode != 200 || got != thousands*1000 {
					t.Errorf("%d and %d results, want 200 and %d: %.200s", res.StatusCode, got, thousands*1000, answer)
				}
			})
		})
	}
}

func TestArraySentAsLinesGetsHelp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, _ := startBulk(t, sidecar.Config{})
		for _, body := range []string{`[{"name":"a","dueTime":"1h"}]`, "[\n{\"name\":\"a\",\"dueTime\":\"1h\"}\n]\n"} {
			got := f.send("POST", batchPath, body, asLines)
			if got.code != 207 || !strings.Contains(got.body, `"help":"leave out Content-Type: application/x-ndjson`) {
				t.Errorf("%q: %d %s, want to be told to leave the content type out", body, got.code, got.body)
			}
		}
		got := f.send("POST", batchPath, `[{"name":"a","job":{"dueTime":"1h"},"overwrite":true}]`)
		if got.code != 207 || !strings.Contains(got.body, `move \"overwrite\" into \"job\"`) {
			t.Errorf("a job that is ignored: %d %s", got.code, got.body)
		}
		got = f.send("POST", "/v1.0/jobs/a", `{"job":{"dueTime":"1h"},"overwrite":true}`)
		if got.code != 400 || !strings.Contains(got.body, `move \"overwrite\" into \"job\"`) {
			t.Errorf("a job that is ignored: %d %s", got.code, got.body)
		}
	})
}
