package sidecar_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"github.com/google/go-cmp/cmp"

	"carillon/internal/sidecar"
)

const appAddress = "127.0.0.1:6000"

// An httpRequest is a request that an app received.
type httpRequest struct {
	path, body string
	header     http.Header
	length     int64
}

// app serves an HTTP app on f's network that records requests before it answers them.
func (n *network) app(t *testing.T, handle http.HandlerFunc) (seen func() []httpRequest) {
	return n.appTLS(t, nil, handle)
}

// appTLS is app over TLS if config is not nil.
func (n *network) appTLS(t *testing.T, config *tls.Config, handle http.HandlerFunc) (seen func() []httpRequest) {
	var mu sync.Mutex
	var got []httpRequest
	server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			got = append(got, httpRequest{r.URL.Path, string(body), r.Header, r.ContentLength})
			mu.Unlock()
			handle(w, r)
		})}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	var l net.Listener = n.listen(appAddress)
	if config != nil {
		l = tls.NewListener(l, config)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return func() []httpRequest {
		mu.Lock()
		defer mu.Unlock()
		defer func() { got = nil }()
		return got
	}
}

// startWithApp runs a sidecar and its HTTP app.
func startWithApp(t *testing.T, a sidecar.App, handle http.HandlerFunc) (f *fixture, seen func() []httpRequest) {
	t.Helper()
	f = &fixture{network: new(network), t: t}
	f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
	seen = f.app(t, handle)
	a.ID, a.Address = "sub", appAddress
	f.run(sidecar.Config{Apps: []sidecar.App{a}, Schedulers: []string{schedulerAddress}, AppToken: "app token"})
	return f, seen
}

// ok answers like an app that took the trigger.
func ok(http.ResponseWriter, *http.Request) {}

// result waits for the next result on the stream.
func (w *watcher) result(t *testing.T) (id uint64, succeeded bool) {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-w.results:
		return r.GetId(), r.GetStatus() == schedulerv1.WatchJobsRequestResultStatus_SUCCESS
	default:
		t.Fatal("there is no result")
		return 0, false
	}
}

func (w *watcher) wantResult(t *testing.T, what string, id uint64, succeeded bool) {
	t.Helper()
	gotID, got := w.result(t)
	if gotID != id || got != succeeded {
		t.Errorf("%s: result of %d is %v, want %d, %v", what, gotID, got, id, succeeded)
	}
}

func (w *watcher) wantNoResult(t *testing.T, what string) {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-w.results:
		t.Errorf("%s: got the result %v, want none", what, r)
	default:
	}
}

func TestHTTPStatusDecidesOutcome(t *testing.T) {
	for _, protocol := range []string{"http", "H2C"} {
		t.Run(protocol, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				code := 0
				f, seen := startWithApp(t, sidecar.App{Protocol: protocol}, func(w http.ResponseWriter, r *http.Request) {
					if protocol == "H2C" && r.ProtoMajor != 2 {
						t.Errorf("the app was called over %s", r.Proto)
					}
					w.Header().Set("Location", "/elsewhere")
					w.WriteHeader(code)
					_, _ = io.WriteString(w, `{"status":"DROP"}`)
				})
				w := f.scheduler.stream()
				for status, want := range map[int]bool{
					200: true, 201: true, 202: true, 204: true, 299: true, 404: true,
					300: false, 301: false, 302: false, 307: false, 308: false, 400: false, 401: false, 403: false, 408: false,
					409: false, 410: false, 418: false, 429: false, 500: false, 501: false, 503: false, 504: false,
				} {
					code = status
					w.trigger(uint64(status), "a", nil)
					w.wantResult(t, fmt.Sprint(status), uint64(status), want)
					if got := seen(); len(got) != 1 || got[0].path != "/job/a" {
						t.Errorf("%d: the app got %+v, want one request", status, got)
					}
				}
			})
		})
	}
}

// The app may have closed a reused connection as idle, so the trigger is sent once more. A trigger
// whose new connection breaks is not.
func TestBrokenAppGetsTriggerOncePerNewConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		broken := false
		f, seen := startWithApp(t, sidecar.App{}, func(http.ResponseWriter, *http.Request) {
			if broken {
				panic(http.ErrAbortHandler)
			}
		})
		w := f.scheduler.stream()
		w.trigger(1, "a", nil) // so that there is a connection to reuse
		w.wantResult(t, "a good answer", 1, true)
		broken = true
		seen()
		w.trigger(2, "a", nil)
		w.wantResult(t, "no answer on a connection that had been in use", 2, false)
		if got := seen(); len(got) != 2 {
			t.Errorf("the app got %d requests, want 2: one on that connection, and one on a new one", len(got))
		}
		w.trigger(3, "a", nil)
		w.wantResult(t, "no answer on a new connection", 3, false)
		if got := seen(); len(got) != 1 {
			t.Errorf("the app got %d requests, want 1", len(got))
		}
		f.close(appAddress)
		w.trigger(3, "a", nil)
		w.wantResult(t, "refused", 3, false)
	})
}

func TestAppMayTakeHours(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		var gone atomic.Int32
		f, seen := startWithApp(t, sidecar.App{}, func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/job/slow" {
				select {
				case <-release:
				case <-r.Context().Done():
					gone.Add(1)
				}
			}
		})
		w := f.scheduler.stream()
		w.trigger(1, "slow", nil)
		time.Sleep(100 * time.Hour)
		w.trigger(2, "quick", nil)
		w.wantResult(t, "another trigger meanwhile", 2, true)
		w.wantNoResult(t, "the slow one")
		close(release)
		w.wantResult(t, "the slow one", 1, true)

		release = make(chan struct{})
		w.trigger(3, "slow", nil)
		synctest.Wait()
		seen()
		began := time.Now()
		f.stop()
		if d := time.Since(began); d >= time.Second {
			t.Errorf("stopping took %v", d)
		}
		w.wantNoResult(t, "a call that the sidecar broke off")
		if gone.Load() != 1 {
			t.Error("the app was not told that nobody waits any more")
		}
	})
}

func TestEndlessResponseBodyDoesNotBlock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, _ := startWithApp(t, sidecar.App{}, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		w := f.scheduler.stream()
		w.trigger(1, "a", nil)
		time.Sleep(time.Second)
		w.wantResult(t, "an answer without end", 1, true)
	})
}

func TestMaxConcurrencyIsEnforced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		var with atomic.Int32
		f, _ := startWithApp(t, sidecar.App{MaxConcurrency: 1}, func(http.ResponseWriter, *http.Request) {
			if with.Add(1) > 1 {
				t.Error("two triggers are with the app")
			}
			<-release
			with.Add(-1)
		})
		open, _ := f.scheduler.connected()
		open[0].trigger(1, "a", nil)
		synctest.Wait()
		open[1].trigger(2, "b", nil)
		synctest.Wait()
		time.Sleep(time.Hour)
		release <- struct{}{}
		open[0].wantResult(t, "the first", 1, true)
		open[1].trigger(3, "c", nil)
		synctest.Wait()
		f.stop() // while 2 is in flight, and 3 waits
		close(release)
		open[1].wantNoResult(t, "what was broken off")
	})
}

func TestAppConnectionsAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t}
		f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
		var with, most atomic.Int32
		f.app(t, func(http.ResponseWriter, *http.Request) {
			most.Store(max(most.Load(), with.Add(1)))
			time.Sleep(time.Second)
			with.Add(-1)
		})
		f.run(sidecar.Config{
			Apps:       []sidecar.App{{ID: "sub", Address: appAddress}, {ID: "other"}},
			Schedulers: []string{schedulerAddress}, DefaultApp: "sub", Streams: 1, MaxAppConns: 5,
		})
		open, _ := f.scheduler.connected()
		for _, w := range open {
			for id := range uint64(10) {
				w.trigger(id, "a", nil)
			}
		}
		time.Sleep(time.Minute)
		if got := most.Load(); got != 2 {
			t.Errorf("the app had %d calls at once, want 2: its half of 5 connections", got)
		}
	})
}

func TestTriggersFailWithoutApp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		open, _ := f.scheduler.connected()
		if len(open) != 3 {
			t.Fatalf("%d streams are open, want 3", len(open))
		}
		want := &schedulerv1.WatchJobsRequestInitial{
			AppId: "sub", Namespace: "default",
			AcceptJobTypes: []schedulerv1.JobTargetType{schedulerv1.JobTargetType_JOB_TARGET_TYPE_JOB},
		}
		for _, w := range open {
			if diff := cmp.Diff(want.String(), w.initial.String()); diff != "" {
				t.Errorf("unexpected initial request (-want +got):\n%s", diff)
			}
			w.trigger(1<<63, "a", nil)
			w.wantResult(t, "no app", 1<<63, false)
		}
	})
}

func TestActorTriggerFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, seen := startWithApp(t, sidecar.App{}, ok)
		w := f.scheduler.stream()
		for what, m := range map[string]*schedulerv1.WatchJobsResponse{
			"no metadata": {Name: "a", Id: 1},
			"no target":   {Name: "a", Id: 1, Metadata: &schedulerv1.JobMetadata{AppId: "sub"}},
			"no type":     {Name: "a", Id: 1, Metadata: &schedulerv1.JobMetadata{Target: &schedulerv1.JobTargetMetadata{}}},
			"an actor": {Name: "a", Id: 1, Metadata: &schedulerv1.JobMetadata{Target: &schedulerv1.JobTargetMetadata{
				Type: &schedulerv1.JobTargetMetadata_Actor{Actor: &schedulerv1.TargetActorReminder{Id: "i", Type: "t"}},
			}}},
		} {
			w.send <- m
			w.wantResult(t, what, 1, false)
		}
		if got := seen(); len(got) != 0 {
			t.Errorf("the app got %+v, want nothing", got)
		}
	})
}

func TestStreamsOpenWhenAppListens(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t}
		f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
		f.run(sidecar.Config{Apps: []sidecar.App{{ID: "sub", Address: appAddress}}, Schedulers: []string{schedulerAddress}})
		time.Sleep(time.Minute)
		if _, ever := f.scheduler.connected(); ever != 0 {
			t.Errorf("%d streams were opened before the app listens", ever)
		}
		f.wantError("healthz", f.send("GET", "/v1.0/healthz", ""), 500,
			errorBody("ERR_HEALTH_NOT_READY", "dapr is not ready: [runtime]", nil))
		if got := f.send("GET", "/v1.0/healthz/outbound", ""); got.code != 204 {
			t.Errorf("outbound = %d, want 204", got.code)
		}
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`); got.code != 204 {
			t.Errorf("POST = %d, want 204: the API works without the app", got.code)
		}
		l := f.listen(appAddress) // and nobody serves it
		defer l.Close()
		go func() {
			for {
				if _, err := l.Accept(); err != nil {
					return
				}
			}
		}()
		time.Sleep(101 * time.Millisecond)
		synctest.Wait()
		if open, _ := f.scheduler.connected(); len(open) != 3 {
			t.Errorf("%d streams are open, want 3", len(open))
		}
		if got := f.send("GET", "/v1.0/healthz", ""); got.code != 204 {
			t.Errorf("healthz = %d %s, want 204", got.code, got.body)
		}
	})
}
