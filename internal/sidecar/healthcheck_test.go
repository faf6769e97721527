package sidecar_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"carillon/internal/sidecar"
)

// A healthApp is an app over HTTP or gRPC with a settable health. It hangs on triggers of the job
// "slow".
type healthApp struct {
	sick     atomic.Bool
	probes   atomic.Int32
	brokeOff atomic.Int32 // slow triggers
	strange  atomic.Bool  // a probe had a token, an app ID, or another form
}

func (p *healthApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/alive":
		p.probes.Add(1)
		if r.Method != http.MethodGet || r.URL.RawQuery != "really=1" || r.Header.Get("dapr-api-token")+r.Header.Get("dapr-app-id") != "" {
			p.strange.Store(true)
		}
		if p.sick.Load() {
			w.WriteHeader(http.StatusMultipleChoices)
		} else {
			w.WriteHeader(299)
		}
	case "/job/slow":
		<-r.Context().Done()
		p.brokeOff.Add(1)
	}
}

// A healthAppServer is the gRPC services of a healthApp.
type healthAppServer struct {
	runtimev1.UnimplementedAppCallbackServer
	*healthApp
}

func (p healthAppServer) HealthCheck(ctx context.Context, _ *emptypb.Empty) (*runtimev1.HealthCheckResponse, error) {
	p.probes.Add(1)
	if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("dapr-api-token"))+len(md.Get("dapr-app-id")) > 0 {
		p.strange.Store(true)
	}
	if p.sick.Load() {
		return nil, status.Error(codes.Unimplemented, "no")
	}
	return &runtimev1.HealthCheckResponse{}, nil
}

func (p healthAppServer) OnJobEvent(ctx context.Context, r *runtimev1.JobEventRequest) (*runtimev1.JobEventResponse, error) {
	if r.GetName() == "slow" {
		<-ctx.Done()
		p.brokeOff.Add(1)
	}
	return &runtimev1.JobEventResponse{}, nil
}

// serve listens on an address of f's network.
func (p *healthApp) serve(f *fixture, address, protocol string) {
	l := f.listen(address)
	if protocol == "grpc" {
		server := grpc.NewServer()
		runtimev1.RegisterAppCallbackServer(server, healthAppServer{healthApp: p})
		runtimev1.RegisterAppCallbackHealthCheckServer(server, healthAppServer{healthApp: p})
		go func() { _ = server.Serve(l) }()
		f.t.Cleanup(server.Stop)
		return
	}
	server := &http.Server{Handler: p}
	go func() { _ = server.Serve(l) }()
	f.t.Cleanup(func() { _ = server.Close() })
}

// streams returns the number of open streams, and of streams so far.
func (f *fixture) streams() (open, ever int) {
	synctest.Wait()
	w, ever := f.scheduler.connected()
	return len(w), ever
}

func (f *fixture) wantStreams(what string, open, ever int) {
	f.t.Helper()
	if gotOpen, gotEver := f.streams(); gotOpen != open || gotEver != ever {
		f.t.Errorf("%s: %d streams are open, and %d ever were; want %d and %d", what, gotOpen, gotEver, open, ever)
	}
}

// checked returns the app "sub" with a health check at /alive.
func checked(protocol string) sidecar.App {
	return sidecar.App{
		ID: "sub", Protocol: protocol, Address: appAddress,
		Health: sidecar.HealthCheck{Enabled: true, Path: "alive?really=1"},
	}
}

// newFixture returns a network with a scheduler, and no sidecar yet.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{network: new(network), t: t}
	f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
	return f
}

func TestAppHasStreamsOnlyWhileHealthy(t *testing.T) {
	for _, protocol := range []string{"http", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const interval = 5 * time.Second // by default
				var p healthApp
				var log bytes.Buffer
				f := newFixture(t)
				f.log = slog.New(slog.NewTextHandler(&log, nil))
				p.sick.Store(true)
				p.serve(f, appAddress, protocol)
				f.run(sidecar.Config{Apps: []sidecar.App{checked(protocol)}, Schedulers: []string{schedulerAddress}, AppToken: "app token"})
				if n := p.probes.Load(); n != 1 {
					t.Errorf("%d probes at the start, want 1", n)
				}
				if got := f.send("GET", "/v1.0/healthz", ""); got.code != 204 {
					t.Errorf("healthz = %d %s, want 204 before any probe succeeded", got.code, got.body)
				}
				time.Sleep(time.Minute + interval/2) // from here on between two probes
				f.wantStreams("never healthy", 0, 0)

				p.sick.Store(false)
				time.Sleep(interval)
				f.wantStreams("a success", 3, 3)
				w := f.scheduler.stream()
				w.trigger(1, "a", nil)
				w.wantResult(t, "healthy", 1, true)

				for range 10 { // two failures and a success, repeatedly
					p.sick.Store(true)
					time.Sleep(2 * interval)
					p.sick.Store(false)
					time.Sleep(interval)
				}
				f.wantStreams("failures that are not in a row", 3, 3)

				w.trigger(2, "slow", nil)
				synctest.Wait()
				p.sick.Store(true)
				time.Sleep(2 * interval)
				f.wantStreams("two failures in a row", 3, 3)
				time.Sleep(interval)
				f.wantStreams("three failures in a row", 0, 3)
				w.wantNoResult(t, "a call in flight")
				if p.brokeOff.Load() != 1 {
					t.Error("the call in flight was not broken off")
				}
				if got := f.send("GET", "/v1.0/healthz", ""); got.code != 204 {
					t.Errorf("healthz = %d, want 204 whatever the app's health", got.code)
				}
				if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`); got.code != 204 {
					t.Errorf("POST = %d, want 204 whatever the app's health", got.code)
				}

				p.sick.Store(false)
				time.Sleep(interval)
				f.wantStreams("the first success", 3, 6)
				f.scheduler.stream().trigger(3, "a", nil)
				f.scheduler.stream().wantResult(t, "healthy again", 3, true)
				f.stop()
				if p.strange.Load() {
					t.Error("a probe was not as it is to be")
				}
				for message, want := range map[string]int{
					"level=WARN msg=\"the app is unhealthy and gets no triggers\"": 2,
					"level=INFO msg=\"the app is healthy and gets triggers\"":      2,
				} {
					if n := strings.Count(log.String(), message); n != want {
						t.Errorf("the log has %d lines with %s, want %d:\n%s", n, message, want, log.String())
					}
				}
			})
		})
	}
}

func TestProbeIsLimitedInTimeAndSize(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		var endless atomic.Bool
		f.app(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/healthz" && endless.Load() {
				for r.Context().Err() == nil {
					_, _ = w.Write(make([]byte, 1024))
				}
				return
			}
			if r.URL.Path == "/healthz" {
				<-r.Context().Done() // no answer at all
			}
		})
		f.run(sidecar.Config{
			Apps: []sidecar.App{{ID: "sub", Address: appAddress, Health: sidecar.HealthCheck{
				Enabled: true, Interval: 2 * time.Second, Timeout: 2 * time.Second, Threshold: 1,
			}}},
			Schedulers: []string{schedulerAddress},
		})
		time.Sleep(time.Minute + time.Second)
		f.wantStreams("no answer", 0, 0)
		endless.Store(true)
		time.Sleep(4 * time.Second)
		f.wantStreams("an answer without end", 3, 3)
		endless.Store(false)
		time.Sleep(4 * time.Second)
		f.wantStreams("no answer any more", 0, 3)
	})
}

func TestBusyAppIsProbed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var p healthApp
		f := newFixture(t)
		p.serve(f, appAddress, "http")
		f.run(sidecar.Config{Apps: []sidecar.App{checked("http")}, Schedulers: []string{schedulerAddress}})
		open, _ := f.scheduler.connected()
		for i := range 1100 { // more than there are connections
			open[i%3].trigger(uint64(i), "slow", nil)
			if i%100 == 99 {
				synctest.Wait()
			}
		}
		time.Sleep(time.Hour)
		f.wantStreams("an app that is busy, and healthy", 3, 3)
		f.stop()
	})
}

func TestContradictoryHealthCheckIsRefused(t *testing.T) {
	for _, c := range []struct {
		health sidecar.HealthCheck
		want   string
	}{
		{sidecar.HealthCheck{Enabled: true}, ""},
		{sidecar.HealthCheck{Enabled: true, Interval: -1, Timeout: -1, Threshold: -1}, ""},
		{sidecar.HealthCheck{Enabled: true, Interval: time.Second, Timeout: time.Second}, ""},
		{
			sidecar.HealthCheck{Enabled: true, Timeout: 6 * time.Second},
			`app "sub": the health probe's timeout, 6s, is larger than its interval, 5s`,
		},
		{
			sidecar.HealthCheck{Enabled: true, Interval: 499 * time.Millisecond},
			`app "sub": the health probe's timeout, 500ms, is larger than its interval, 499ms`,
		},
		{sidecar.HealthCheck{Timeout: time.Hour}, ""}, // it has no health check
		{
			sidecar.HealthCheck{Enabled: true, Path: "/%zz"},
			`app "sub": the path of the health probe is none: parse "/%zz": invalid URL escape "%zz"`,
		},
	} {
		_, err := sidecar.New(sidecar.Config{Apps: []sidecar.App{{ID: "sub", Health: c.health}}}, sidecar.Dialers{}, slog.New(slog.DiscardHandler))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("New with %+v = %q, want %q", c.health, got, c.want)
		}
	}
}

func TestBlockedShutdownEndsAfterDuration(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		f.app(t, ok)
		f.run(sidecar.Config{
			Apps:       []sidecar.App{{ID: "sub", Address: appAddress}},
			Schedulers: []string{schedulerAddress}, BlockShutdown: time.Minute,
		})
		began := time.Now()
		var stopping sync.WaitGroup
		stopping.Go(f.stop)
		time.Sleep(59 * time.Second)
		w := f.scheduler.stream()
		w.trigger(1, "a", nil)
		w.wantResult(t, "a trigger meanwhile", 1, true)
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`); got.code != 204 {
			t.Errorf("POST meanwhile = %d, want 204", got.code)
		}
		stopping.Wait()
		if d := time.Since(began); d < time.Minute || d > time.Minute+time.Second {
			t.Errorf("stopping took %v, want a minute", d)
		}
	})
}

func TestBlockedShutdownEndsWhenAppsUnhealthy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var first, second healthApp
		f := newFixture(t)
		first.serve(f, appAddress, "http")
		second.serve(f, "other:1", "grpc")
		other := checked("grpc")
		other.ID, other.Address = "other", "other:1"
		f.run(sidecar.Config{
			Apps: []sidecar.App{checked("http"), other}, AnyApp: true,
			Schedulers: []string{schedulerAddress}, BlockShutdown: time.Hour,
		})
		f.wantStreams("at the start", 6, 6)
		began := time.Now()
		var stopping sync.WaitGroup
		stopping.Go(f.stop)
		first.sick.Store(true)
		time.Sleep(10 * time.Minute)
		f.wantStreams("one of two apps is unhealthy", 3, 6)
		second.sick.Store(true)
		stopping.Wait()
		if d := time.Since(began) - 10*time.Minute; d > 16*time.Second {
			t.Errorf("stopping took %v from when the last app was sick, want no more than 3 probes", d)
		}
	})
}
