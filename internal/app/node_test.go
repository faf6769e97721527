package app_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/app"
	"carillon/internal/logtest"
	"carillon/internal/memnet"
	"carillon/internal/sidecar"
	"carillon/internal/store/pebblestore"
)

// world is an all-in-one node between a user and an app: real HTTP, gRPC and store, on in-memory
// connections and an in-memory disk.
type world struct {
	log  logtest.Page
	t    *testing.T
	disk vfs.FS
	user *http.Client
	grpc *memnet.Listener // of the API
	app  *recorder

	management *memnet.Listener

	ended chan error // what Run returned
	stop  func()
}

// recorder is an app that records the requests that it receives.
type recorder struct {
	http.Server
	listener *memnet.Listener
	status   func(name string) int

	mu  sync.Mutex
	got []request
}

type request struct {
	path, body string
	length     int64 // as announced
	token      string
	at         time.Time
}

func newRecorder() *recorder {
	r := &recorder{listener: memnet.Listen(), status: func(string) int { return http.StatusOK }}
	r.Handler = r
	go func() { _ = r.Serve(r.listener) }()
	return r
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(err)
	}
	r.mu.Lock()
	r.got = append(r.got, request{
		req.Method + " " + req.URL.Path, string(body), req.ContentLength, req.Header.Get("dapr-api-token"), time.Now(),
	})
	r.mu.Unlock()
	w.WriteHeader(r.status(strings.TrimPrefix(req.URL.Path, "/job/")))
}

// requests returns the requests since the last call.
func (r *recorder) requests() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// start runs a node on disk with the app sub. Each change may modify the configuration of its sidecar.
func start(t *testing.T, disk vfs.FS, change ...func(*sidecar.Config)) *world {
	t.Helper()
	w := &world{t: t, disk: disk, app: newRecorder(), grpc: memnet.Listen(), management: memnet.Listen()}
	api := memnet.Listen()
	cfg := app.AllInOneConfig{
		Config: app.Config{
			Store: pebblestore.Config{Dir: "store", FS: disk, NoTickers: true}, Node: app.NodeConfig{ID: "one", Version: "1.2"},
		},
		Sidecar: sidecar.Config{Apps: []sidecar.App{{ID: "sub", Address: "app:80"}}, AnyApp: true, Namespace: "default", NoPings: true},
	}
	for _, c := range change {
		c(&cfg.Sidecar)
	}
	dialApp := func(ctx context.Context, _ string) (net.Conn, error) { return w.app.listener.DialContext(ctx) }
	log := slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &w.log), nil))
	node, err := app.OpenAllInOne(cfg, app.AllInOneListeners{
		HTTP: []net.Listener{api}, GRPC: []net.Listener{w.grpc}, Scheduler: []net.Listener{memnet.Listen()},
		Management: []net.Listener{w.management},
	}, dialApp, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.ended = make(chan error, 1)
	go func() { w.ended <- node.Run(ctx) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return api.DialContext(ctx) }}
	w.user = &http.Client{Transport: transport}
	w.stop = sync.OnceFunc(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-w.ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		_ = w.app.Close()
		synctest.Wait()
	})
	synctest.Wait()
	return w
}

// call makes a request for the app sub. Each header is a name and a value.
func (w *world) call(method, path, body string, headers ...[2]string) (status int, answer string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, "http://localhost:3500"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("dapr-app-id", "sub")
	for _, h := range headers {
		req.Header.Set(h[0], h[1])
	}
	status, _, answer = w.do(req)
	return status, answer
}

// do makes a request and returns its response.
func (w *world) do(req *http.Request) (status int, header http.Header, body string) {
	w.t.Helper()
	resp, err := w.user.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func (w *world) schedule(name, body string) {
	w.t.Helper()
	if status, answer := w.call("POST", "/v1.0-alpha1/jobs/"+name, body); status != http.StatusAccepted {
		w.t.Fatalf("schedule %s: %d %s", name, status, answer)
	}
}

func TestPublishedReferenceExampleWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		const data = `{ "@type": "type.googleapis.com/google.type.Expr", "expression": "expression1" }`
		w.schedule("jobforjabba", `{ "job": { "data": `+data+`, "dueTime": "30s" } }`)
		scheduled := time.Now()
		for _, path := range []string{"/v1.0-alpha1/job/jobforjabba", "/v1.0-alpha1/jobs/jobforjabba"} {
			if status, answer := w.call("GET", path, ""); status != http.StatusAccepted || !strings.Contains(answer, `"expression1"`) {
				t.Errorf("GET %s: %d %s", path, status, answer)
			}
		}
		time.Sleep(30*time.Second - time.Nanosecond)
		synctest.Wait()
		if got := w.app.requests(); len(got) != 0 {
			t.Errorf("early: %v", got)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		got := w.app.requests()
		if len(got) != 1 || got[0].path != "POST /job/jobforjabba" || got[0].at.Sub(scheduled) != 30*time.Second ||
			!strings.Contains(got[0].body, `"expression1"`) {
			t.Errorf("the app received %v", got)
		}
		if status, _ := w.call("GET", "/v1.0-alpha1/job/jobforjabba", ""); status != http.StatusInternalServerError {
			t.Errorf("GET when it is done: %d, want 500", status)
		}
		if status, _ := w.call("DELETE", "/v1.0-alpha1/jobs/jobforjabba", ""); status != http.StatusAccepted {
			t.Errorf("DELETE when it is done: %d, want 202", status)
		}
	})
}

func TestYearOfDailyJobsIsNeverLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		begin := time.Now()
		for i := range 10 {
			w.schedule(fmt.Sprint("daily", i), `{"job": {"dueTime": "1h", "schedule": "@every 24h", "data": 1}}`)
		}
		time.Sleep(365 * 24 * time.Hour)
		synctest.Wait()
		got := w.app.requests()
		if len(got) != 3650 {
			t.Errorf("the app received %d triggers, want 3650", len(got))
		}
		for _, r := range got {
			if r.at.Sub(begin)%(24*time.Hour) != time.Hour {
				t.Fatalf("%s came at %v", r.path, r.at)
			}
		}
	})
}

func TestJobSurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		w.schedule("later", `{"job": {"dueTime": "1h", "data": "hi"}}`)
		w.schedule("missed", `{"job": {"dueTime": "10m", "schedule": "@every 10m", "repeats": 4}}`)
		w.stop()
		time.Sleep(35 * time.Minute)
		w = start(t, w.disk)
		defer w.stop()
		if got := w.app.requests(); len(got) != 3 || got[0].path != "POST /job/missed" {
			t.Errorf("at once after the restart the app received %v, want what was missed", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := w.app.requests(); len(got) != 2 || got[0].path != "POST /job/missed" || got[1].body != `"hi"` {
			t.Errorf("later the app received %v", got)
		}
	})
}

func TestFailurePolicyIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, vfs.NewMem())
		defer w.stop()
		w.app.status = func(name string) int {
			if name == "gone" {
				return http.StatusNotFound // an app that does not know the job is not asked again
			}
			return http.StatusInternalServerError
		}
		for name, policy := range map[string]string{
			"default": `null`, "drop": `{"drop": {}}`, "twice": `{"constant": {"interval": "5s", "maxRetries": 1}}`, "gone": `null`,
		} {
			w.schedule(name, `{"job": {"dueTime": "1s", "failurePolicy": `+policy+`}}`)
		}
		begin := time.Now()
		time.Sleep(time.Minute)
		synctest.Wait()
		got := map[string]string{}
		for _, r := range w.app.requests() {
			got[r.path] += r.at.Sub(begin).String() + " "
		}
		for name, want := range map[string]string{"default": "1s 2s 3s 4s ", "drop": "1s ", "twice": "1s 6s ", "gone": "1s "} {
			if got["POST /job/"+name] != want {
				t.Errorf("%s was delivered at %s, want %s", name, got["POST /job/"+name], want)
			}
		}
	})
}

func TestShutdownOverAPIStopsNode(t *testing.T) {
	for _, force := range []string{"false", "true"} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, vfs.NewMem())
			w.schedule("later", `{"job": {"dueTime": "1h"}}`)
			status, answer := w.call("POST", "/v1.0/shutdown", "", [2]string{"dapr-force-shutdown", force})
			if status != http.StatusNoContent {
				t.Errorf("POST = %d %s, want 204", status, answer)
			}
			w.user.CloseIdleConnections()
			began := time.Now()
			if err := <-w.ended; err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("the node took %v to end", took)
			}
			w.ended <- nil
			w.stop()
			w = start(t, w.disk)
			defer w.stop()
			if status, answer := w.call("GET", "/v1.0/jobs/later", ""); status != http.StatusAccepted {
				t.Errorf("GET after a restart = %d %s, want the job", status, answer)
			}
		})
	}
}
