package compat_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/dapr/go-sdk/client"
	"github.com/dapr/go-sdk/service/common"
	sdk "github.com/dapr/go-sdk/service/grpc"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// A call is a trigger as it came to an app of the Go SDK.
type call struct {
	method  string // of gRPC
	request *runtimev1.JobEventRequest
	token   []string
	data    []byte // as the SDK gave it to the app's function
	at      time.Time
}

// A goApp is an app made with the Go SDK that fails the first attempts of each job.
type goApp struct {
	app
	fails int // how many attempts of each job fail

	mu    sync.Mutex
	calls map[string][]call // by the job's name
}

// startGoApp serves an app until the test ends. It knows the jobs of these names.
func startGoApp(t *testing.T, fails int, jobs ...string) *goApp {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &goApp{app: app{"grpc", l.Addr().(*net.TCPAddr).Port}, fails: fails, calls: make(map[string][]call)}
	server := grpc.NewServer(grpc.UnaryInterceptor(a.see))
	service := sdk.NewServiceWithGrpcServer(l, server)
	for _, name := range jobs {
		if err := service.AddJobEventHandler(name, a.handle); err != nil {
			t.Fatal(err)
		}
	}
	served := make(chan error, 1)
	go func() { served <- service.Start() }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	return a
}

// see notes what comes over the wire.
func (a *goApp) see(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if event, ok := req.(*runtimev1.JobEventRequest); ok {
		md, _ := metadata.FromIncomingContext(ctx)
		a.mu.Lock()
		a.calls[event.GetName()] = append(a.calls[event.GetName()],
			call{method: info.FullMethod, request: event, token: md.Get("dapr-api-token"), at: time.Now()})
		a.mu.Unlock()
	}
	return next(ctx, req)
}

// handle is the app's function for each of its jobs.
func (a *goApp) handle(_ context.Context, event *common.JobEvent) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls[event.JobType]
	calls[len(calls)-1].data = event.Data
	if len(calls) <= a.fails {
		return errors.New("not yet")
	}
	return nil
}

// received returns the calls for a job so far.
func (a *goApp) received(name string) []call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]call(nil), a.calls[name]...)
}

// connect returns a client of the Go SDK, which is closed when the test ends.
func connect(t *testing.T, s sidecar) client.Client {
	t.Helper()
	c, err := client.NewClientWithAddressContext(t.Context(), s.grpc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func schedule(t *testing.T, c client.Client, name string, options ...client.JobOption) {
	t.Helper()
	if err := c.ScheduleJob(t.Context(), client.NewJob(name, options...)); err != nil {
		t.Fatalf("schedule %s: %v", name, err)
	}
}

// wantGone waits until there is no such job any more. Whatever is to come of it has come then.
func wantGone(t *testing.T, c client.Client, name string) {
	t.Helper()
	var last error
	poll(t, name+" to be gone", func() bool {
		_, last = c.GetJob(t.Context(), name)
		return last != nil
	})
	if status.Code(last) != codes.Internal { // as Dapr answers for a job that is missing
		t.Errorf("get %s when it is gone: %v, want code Internal", name, last)
	}
}

// poll waits until done.
func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

func TestGoSDKJobArrivesIntact(t *testing.T) {
	text, err := anypb.New(wrapperspb.String("  a text, as it is  "))
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]*anypb.Any{
		"text": text, // of a well-known type
		"own":  {TypeUrl: "example.com/an.App", Value: []byte(" \x00\xff\n")},
		"bare": {Value: []byte(`{"a": 1}`)},
		"none": nil,
	}
	inEachRole(t, func(t *testing.T, run role) {
		a := startGoApp(t, 0, "text", "own", "bare", "none")
		c := connect(t, run(t, a.app))
		due := time.Now().Add(500 * time.Millisecond)
		for name, d := range data {
			schedule(t, c, name, client.WithJobDueTime("500ms"), client.WithJobData(d))
		}
		for name, d := range data {
			wantGone(t, c, name)
			calls := a.received(name)
			if len(calls) != 1 {
				t.Fatalf("%s arrived %d times, want once", name, len(calls))
			}
			got := calls[0]
			want := &runtimev1.JobEventRequest{Name: name, Method: "job/" + name, ContentType: d.GetTypeUrl(), Data: d}
			if diff := cmp.Diff(want, got.request, protocmp.Transform(), protocmp.IgnoreFields(want, "http_extension")); diff != "" {
				t.Errorf("%s, as wanted (-) and as it came (+):\n%s", name, diff)
			}
			if string(got.data) != string(d.GetValue()) {
				t.Errorf("%s: the app's function got %q, want %q", name, got.data, d.GetValue())
			}
			if got.method != runtimev1.AppCallback_OnJobEvent_FullMethodName {
				t.Errorf("%s came by %s, want the stable method", name, got.method)
			}
			if got.at.Before(due) {
				t.Errorf("%s came %v too early", name, due.Sub(got.at))
			}
		}
	})
}

func TestGoSDKRecurringJobRepeatsExactly(t *testing.T) {
	inEachRole(t, func(t *testing.T, run role) {
		a := startGoApp(t, 0, "every", "first")
		c := connect(t, run(t, a.app))
		begin := time.Now()
		schedule(t, c, "every", client.WithJobSchedule("@every 300ms"), client.WithJobRepeats(4))
		schedule(t, c, "first", client.WithJobSchedule("@every 1s"), client.WithJobDueTime("100ms"), client.WithJobRepeats(2))
		for name, want := range map[string][]time.Duration{
			"every": {300 * time.Millisecond, 600 * time.Millisecond, 900 * time.Millisecond, 1200 * time.Millisecond},
			"first": {100 * time.Millisecond, 1100 * time.Millisecond},
		} {
			wantGone(t, c, name)
			calls := a.received(name)
			if len(calls) != len(want) {
				t.Fatalf("%s came %d times, want %d", name, len(calls), len(want))
			}
			for i, due := range want {
				if at := calls[i].at.Sub(begin); at < due {
					t.Errorf("%s came for the %d. time after %v, want not before %v", name, i+1, at, due)
				}
			}
		}
	})
}

func TestGoSDKSeesJobUntilDeleted(t *testing.T) {
	inEachRole(t, func(t *testing.T, run role) {
		a := startGoApp(t, 0, "deleted", "kept")
		c := connect(t, run(t, a.app))
		data := &anypb.Any{TypeUrl: "example.com/an.App", Value: []byte{0, 1, 2}}
		schedule(t, c, "seen", client.WithJobSchedule("@every 1h"), client.WithJobDueTime("2h"), client.WithJobRepeats(7),
			client.WithJobTTL("24h"), client.WithJobData(data), client.WithJobConstantFailurePolicyMaxRetries(5),
			client.WithJobConstantFailurePolicyInterval(2*time.Second))
		got, err := c.GetJob(t.Context(), "seen")
		if err != nil {
			t.Fatal(err)
		}
		want := client.NewJob("seen", client.WithJobSchedule("@every 1h"), client.WithJobDueTime("2h"), client.WithJobRepeats(7),
			client.WithJobTTL("24h"), client.WithJobData(data), client.WithJobConstantFailurePolicyMaxRetries(5),
			client.WithJobConstantFailurePolicyInterval(2*time.Second))
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("as scheduled (-) and as it came back (+):\n%s", diff)
		}

		schedule(t, c, "deleted", client.WithJobDueTime("1s"))
		schedule(t, c, "kept", client.WithJobDueTime("1500ms"))
		for range 2 { // a job that is not there can be deleted as well
			for _, name := range []string{"seen", "deleted"} {
				if err := c.DeleteJob(t.Context(), name); err != nil {
					t.Fatal(err)
				}
				wantGone(t, c, name)
			}
		}
		wantGone(t, c, "kept")
		if n := len(a.received("kept")); n != 1 {
			t.Errorf("the job that was kept came %d times, want once", n)
		}
		if n := len(a.received("deleted")); n != 0 {
			t.Errorf("the job that was deleted came %d times", n)
		}
	})
}

func TestGoSDKFailurePolicyIsFollowedExactly(t *testing.T) {
	drop, retries := client.WithJobDropFailurePolicy(), client.WithJobConstantFailurePolicyMaxRetries
	soon := client.WithJobConstantFailurePolicyInterval(100 * time.Millisecond)
	inEachRole(t, func(t *testing.T, run role) {
		for _, test := range []struct {
			name           string
			policy         []client.JobOption
			fails          int
			attempts       int
			notBeforeAfter time.Duration // from the first attempt to the last
		}{
			{"drop", []client.JobOption{drop}, 100, 1, 0},
			{"constant", []client.JobOption{retries(2), soon}, 100, 3, 200 * time.Millisecond},
			{"none", []client.JobOption{retries(0), soon}, 100, 1, 0},
			{"recovers", []client.JobOption{retries(5), soon}, 2, 3, 200 * time.Millisecond},
			{"default", nil, 100, 4, 3 * time.Second},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel() // each of them waits
				a := startGoApp(t, test.fails, test.name)
				c := connect(t, run(t, a.app))
				schedule(t, c, test.name, append(test.policy, client.WithJobDueTime("0s"))...)
				wantGone(t, c, test.name)
				calls := a.received(test.name)
				if len(calls) != test.attempts {
					t.Fatalf("%d attempts, want %d", len(calls), test.attempts)
				}
				// Retries are due from the nominal instant of the first attempt, which is a little before its arrival.
				if took := calls[len(calls)-1].at.Sub(calls[0].at); took < test.notBeforeAfter-50*time.Millisecond {
					t.Errorf("the attempts took %v, want %v", took, test.notBeforeAfter)
				}
			})
		}
	})
}

func TestGoSDKReplacesJobOnlyWithOverwrite(t *testing.T) {
	inEachRole(t, func(t *testing.T, run role) {
		a := startGoApp(t, 0, "a")
		c := connect(t, run(t, a.app))
		schedule(t, c, "a", client.WithJobDueTime("1h"))
		again := client.NewJob("a", client.WithJobDueTime("100ms"), client.WithJobData(&anypb.Any{Value: []byte("second")}))
		if err := c.ScheduleJob(t.Context(), again); status.Code(err) != codes.AlreadyExists {
			t.Errorf("a second job of that name: %v, want code AlreadyExists", err)
		}
		if job, err := c.GetJob(t.Context(), "a"); err != nil || *job.DueTime != "1h" {
			t.Errorf("get: %v, %v; want the first job", job, err)
		}
		again.Overwrite = true
		if err := c.ScheduleJob(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		wantGone(t, c, "a")
		if calls := a.received("a"); len(calls) != 1 || string(calls[0].data) != "second" {
			t.Errorf("the app got %v, want the second job, once", calls)
		}
	})
}

func TestGoSDKPassesTokensBothWays(t *testing.T) {
	inEachRole(t, func(t *testing.T, run role) {
		a := startGoApp(t, 0, "a")
		s := run(t, a.app, "DAPR_API_TOKEN=of the api", "APP_API_TOKEN=of the app")
		stranger := connect(t, s)
		if err := stranger.ScheduleJob(t.Context(), client.NewJob("a", client.WithJobDueTime("0s"))); status.Code(err) != codes.Unauthenticated {
			t.Errorf("a client without the token: %v, want code Unauthenticated", err)
		}
		t.Setenv("DAPR_API_TOKEN", "of the api")
		c := connect(t, s)
		schedule(t, c, "a", client.WithJobDueTime("0s"))
		wantGone(t, c, "a")
		calls := a.received("a")
		if len(calls) != 1 || fmt.Sprint(calls[0].token) != "[of the app]" {
			t.Errorf("the app got %v, want one trigger, with its token", calls)
		}
	})
}

func TestErrorsReachGoSDK(t *testing.T) {
	inEachRole(t, func(t *testing.T, run role) {
		c := connect(t, run(t, startGoApp(t, 0).app))
		for _, test := range []struct {
			job  *client.Job
			want codes.Code
		}{
			{client.NewJob("a"), codes.InvalidArgument},
			{client.NewJob("a", client.WithJobSchedule("whenever")), codes.Internal},
			{client.NewJob("a", client.WithJobDueTime("then")), codes.Internal},
		} {
			if err := c.ScheduleJob(t.Context(), test.job); status.Code(err) != test.want {
				t.Errorf("schedule %+v: %v, want code %v", test.job, err, test.want)
			}
		}
	})
}

func TestGoSDKReadsAndSetsMetadata(t *testing.T) {
	inEachRole(t, func(t *testing.T, run role) {
		c := connect(t, run(t, startGoApp(t, 0).app))
		if err := c.SetMetadata(t.Context(), "colour", "blue"); err != nil {
			t.Fatal(err)
		}
		got, err := c.GetMetadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != "sub" || got.ExtendedMetadata["colour"] != "blue" {
			t.Errorf("metadata is %+v, want the id sub and the colour blue", got)
		}
	})
}
