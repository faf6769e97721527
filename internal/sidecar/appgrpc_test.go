package sidecar_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/sidecar"
)

// A grpcApp is a gRPC app that records its calls. It implements the methods that are not nil.
type grpcApp struct {
	runtimev1.UnimplementedAppCallbackServer
	runtimev1.UnimplementedAppCallbackAlphaServer
	stable, alpha func(context.Context) error

	mu    sync.Mutex // guards the fields below
	calls []string
	last  *runtimev1.JobEventRequest
	md    metadata.MD
}

func (a *grpcApp) answer(
	ctx context.Context, method string, r *runtimev1.JobEventRequest, f func(context.Context) error,
) (*runtimev1.JobEventResponse, error) {
	a.mu.Lock()
	a.calls, a.last = append(a.calls, method), r
	a.md, _ = metadata.FromIncomingContext(ctx)
	a.mu.Unlock()
	if f == nil {
		return nil, status.Error(codes.Unimplemented, "no such method")
	}
	return &runtimev1.JobEventResponse{}, f(ctx)
}

func (a *grpcApp) OnJobEvent(ctx context.Context, r *runtimev1.JobEventRequest) (*runtimev1.JobEventResponse, error) {
	return a.answer(ctx, "stable", r, a.stable)
}

func (a *grpcApp) OnJobEventAlpha1(
	ctx context.Context, r *runtimev1.JobEventRequest,
) (*runtimev1.JobEventResponse, error) {
	return a.answer(ctx, "alpha", r, a.alpha)
}

func (a *grpcApp) took() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { a.calls = nil }()
	return a.calls
}

// serve listens on the app's address until stop is called.
func (a *grpcApp) serve(f *fixture, options ...grpc.ServerOption) (stop func()) {
	server := grpc.NewServer(options...)
	runtimev1.RegisterAppCallbackServer(server, a)
	runtimev1.RegisterAppCallbackAlphaServer(server, a)
	l := f.listen(appAddress)
	go func() { _ = server.Serve(l) }()
	f.t.Cleanup(server.Stop)
	return func() {
		f.close(appAddress)
		server.Stop()
	}
}

func startWithGRPCApp(t *testing.T, a *grpcApp) (f *fixture, stop func()) {
	t.Helper()
	f = &fixture{network: new(network), t: t}
	f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
	stop = a.serve(f)
	f.run(sidecar.Config{
		Apps:       []sidecar.App{{ID: "sub", Protocol: "grpc", Address: appAddress}},
		Schedulers: []string{schedulerAddress}, AppToken: "app token",
	})
	return f, stop
}

func works(context.Context) error { return nil }

func TestGRPCAppGetsTriggerUnchanged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &grpcApp{stable: works}
		f, _ := startWithGRPCApp(t, a)
		w := f.scheduler.stream()
		for _, data := range []*anypb.Any{
			nil, {}, {TypeUrl: "dapr.io/x", Value: []byte(" x ")}, {Value: []byte{0}},
		} {
			w.trigger(1, "a b", data)
			w.wantResult(t, "the trigger", 1, true)
			want := &runtimev1.JobEventRequest{
				Name: "a b", Data: data, Method: "job/a b", ContentType: data.GetTypeUrl(),
				HttpExtension: &commonv1.HTTPExtension{Verb: commonv1.HTTPExtension_POST},
			}
			if diff := cmp.Diff(want, a.last, protocmp.Transform()); diff != "" {
				t.Errorf("unexpected request (-want +got):\n%s", diff)
			}
		}
		if got := a.md.Get("dapr-api-token"); len(got) != 1 || got[0] != "app token" {
			t.Errorf("the token is %q, want one", got)
		}
	})
}

func TestGRPCCodeDecidesOutcome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var code codes.Code
		f, stop := startWithGRPCApp(t, &grpcApp{stable: func(context.Context) error { return status.Error(code, "no") }})
		w := f.scheduler.stream()
		for code = codes.OK; code <= codes.Unauthenticated; code++ {
			w.trigger(uint64(code), "a", nil)
			w.wantResult(t, code.String(), uint64(code), code == codes.OK || code == codes.NotFound)
		}
		stop()
		w.trigger(99, "a", nil)
		time.Sleep(time.Minute)
		w.wantResult(t, "an app that is down", 99, false)
	})
}

func TestAlphaMethodIsRememberedPerConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &grpcApp{alpha: works}
		f, stop := startWithGRPCApp(t, a)
		w := f.scheduler.stream()
		wantCalls := func(what string, want ...string) {
			t.Helper()
			w.trigger(1, "a", nil)
			w.wantResult(t, what, 1, true)
			if diff := cmp.Diff(want, a.took()); diff != "" {
				t.Errorf("%s: unexpected calls (-want +got):\n%s", what, diff)
			}
		}
		wantCalls("the first trigger", "stable", "alpha")
		wantCalls("the second", "alpha")
		stop()
		synctest.Wait()
		a.stable = works
		a.serve(f)
		time.Sleep(5 * time.Second)
		wantCalls("after an upgrade", "stable")
		a.stable = nil
		wantCalls("after a downgrade in place", "stable", "alpha")
		a.stable, a.alpha = works, nil
		wantCalls("after an upgrade in place", "alpha", "stable")
		a.stable = nil
		w.trigger(2, "a", nil)
		w.wantResult(t, "neither method", 2, false)
	})
}

// Some servers, such as those of Node.js, answer an unknown method without gRPC: with 404, and with
// the end of the stream in a frame of its own.
func TestGRPCAppMayRefuseMethodWithHTTPStatus(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t}
		f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
		a := &grpcApp{alpha: works}
		server := grpc.NewServer()
		runtimev1.RegisterAppCallbackAlphaServer(server, a)
		node := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != runtimev1.AppCallback_OnJobEvent_FullMethodName {
				server.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(http.StatusNotFound)
			w.(http.Flusher).Flush()
		})}
		node.Protocols.SetUnencryptedHTTP2(true)
		l := f.listen(appAddress)
		go func() { _ = node.Serve(l) }()
		t.Cleanup(func() { _ = node.Close() })
		f.run(sidecar.Config{
			Apps:       []sidecar.App{{ID: "sub", Protocol: "grpc", Address: appAddress}},
			Schedulers: []string{schedulerAddress},
		})
		w := f.scheduler.stream()
		w.trigger(1, "a", nil)
		w.wantResult(t, "an app that has the other method", 1, true)
		if got := a.took(); len(got) != 1 {
			t.Errorf("the app was called %d times by the method that it has, want once", len(got))
		}
	})
}

func TestGRPCCallEndsWithSidecar(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var told bool
		f, _ := startWithGRPCApp(t, &grpcApp{stable: func(ctx context.Context) error {
			<-ctx.Done()
			told = true
			return nil
		}})
		w := f.scheduler.stream()
		w.trigger(1, "a", nil)
		time.Sleep(100 * time.Hour)
		w.wantNoResult(t, "an app that hangs")
		f.stop()
		w.wantNoResult(t, "a call that was broken off")
		if !told {
			t.Error("the app was not told")
		}
	})
}

func TestDeadGRPCAppFailsTrigger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &grpcApp{stable: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		f, stop := startWithGRPCApp(t, a)
		w := f.scheduler.stream()
		w.trigger(1, "a", nil)
		synctest.Wait()
		stop()
		w.wantResult(t, "an app that died", 1, false)
		if got := a.took(); len(got) != 1 {
			t.Errorf("the app was called %d times, want once", len(got))
		}
	})
}

func TestTLSAppCertificateIsNotVerified(t *testing.T) {
	config := selfSigned(t)
	t.Run("grpcs", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f := &fixture{network: new(network), t: t}
			f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
			a := &grpcApp{stable: works}
			a.serve(f, grpc.Creds(credentials.NewTLS(config)))
			f.run(sidecar.Config{
				Apps:       []sidecar.App{{ID: "sub", Protocol: "grpcs", Address: appAddress}},
				Schedulers: []string{schedulerAddress},
			})
			w := f.scheduler.stream()
			w.trigger(1, "a", nil)
			w.wantResult(t, "over TLS", 1, true)
		})
	})
	t.Run("https", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f := &fixture{network: new(network), t: t}
			f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
			seen := f.appTLS(t, config, ok)
			f.run(sidecar.Config{
				Apps:       []sidecar.App{{ID: "sub", Protocol: "https", Address: appAddress}},
				Schedulers: []string{schedulerAddress},
			})
			w := f.scheduler.stream()
			w.trigger(1, "a", nil)
			w.wantResult(t, "over TLS", 1, true)
			if got := seen(); len(got) != 1 {
				t.Errorf("the app got %+v, want one request", got)
			}
		})
	})
}
