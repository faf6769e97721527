package sidecar_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"carillon/internal/sidecar"
)

// countSeries returns the number of series, and the longest label value.
func countSeries(t *testing.T, from prometheus.Gatherer) (n int, longest string) {
	t.Helper()
	all, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		n += len(family.GetMetric())
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if len(l.GetValue()) > len(longest) {
					longest = l.GetValue()
				}
			}
		}
	}
	return n, longest
}

// An unstableApp answers each call with another code.
type unstableApp struct {
	runtimev1.UnimplementedAppCallbackServer
	runtimev1.UnimplementedAppCallbackHealthCheckServer
	last atomic.Int64
}

func (f *unstableApp) next() int64 { return f.last.Add(1) }

func (f *unstableApp) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(200 + int(f.next()%800))
	_, _ = io.WriteString(w, "?")
}

func (f *unstableApp) OnJobEvent(context.Context, *runtimev1.JobEventRequest) (*runtimev1.JobEventResponse, error) {
	return nil, status.Error(codes.Code(100+f.next()), "?")
}

func (f *unstableApp) HealthCheck(context.Context, *emptypb.Empty) (*runtimev1.HealthCheckResponse, error) {
	return nil, status.Error(codes.Code(100+f.next()), "?")
}

// serve makes the app answer calls and probes over the protocol.
func (f *unstableApp) serve(t *testing.T, to *fixture, protocol string) {
	t.Helper()
	if protocol != "grpc" {
		to.app(t, f.ServeHTTP)
		return
	}
	server := grpc.NewServer()
	runtimev1.RegisterAppCallbackServer(server, f)
	runtimev1.RegisterAppCallbackHealthCheckServer(server, f)
	l := to.listen(appAddress)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
}

func TestClientsCannotCreateUnboundedSeries(t *testing.T) {
	const each = 900
	for _, protocol := range []string{"http", "h2c", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := prometheus.NewPedanticRegistry()
				f := newFixture(t)
				app := new(unstableApp)
				app.serve(t, f, protocol)
				a := sidecar.App{ID: "sub", Address: appAddress, Protocol: protocol}
				f.run(sidecar.Config{Apps: []sidecar.App{a}, Schedulers: []string{schedulerAddress}, Metrics: r})
				w := f.scheduler.stream()
				for i := range each {
					w.trigger(uint64(i), "name"+strconv.Itoa(i), nil)
					w.result(t)
				}
				if n, longest := countSeries(t, r); n > 300 || len(longest) > 256 {
					t.Errorf("there are %d series, with labels such as %.64q; want 300 at most", n, longest)
				}
			})
		})
		t.Run(protocol+" health", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := prometheus.NewPedanticRegistry()
				f := newFixture(t)
				app := new(unstableApp)
				app.serve(t, f, protocol)
				health := sidecar.HealthCheck{Enabled: true, Path: "/", Interval: time.Second, Timeout: time.Second, Threshold: 3}
				a := sidecar.App{ID: "sub", Address: appAddress, Protocol: protocol, Health: health}
				f.run(sidecar.Config{Apps: []sidecar.App{a}, Schedulers: []string{schedulerAddress}, Metrics: r})
				time.Sleep(each * time.Second)
				synctest.Wait()
				if n, _ := countSeries(t, r); app.next() < each/2 || n > 300 {
					t.Errorf("there are %d series after %d probes, want 300 at most", n, app.next())
				}
			})
		})
	}
	t.Run("API and scheduler", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := prometheus.NewPedanticRegistry()
			f := newFixture(t)
			f.run(sidecar.Config{Schedulers: []string{schedulerAddress}, Metrics: r})
			conn := f.grpc()
			client := runtimev1.NewDaprClient(conn)
			for i := range each {
				name := fmt.Sprint(i, strings.Repeat("x", i%200))
				f.scheduler.answersWith(status.Error(codes.Code(i), "?"))
				f.send(http.MethodPost, "/v1.0/jobs/"+name, `{"dueTime":"1h"}`)
				f.send("M"+name, "/v1.0/jobs/"+name+"/"+name, "")
				f.send(http.MethodGet, "/"+name, "", "dapr-app-id: "+name)
				ctx := metadata.AppendToOutgoingContext(t.Context(), "dapr-app-id", name)
				_, _ = client.ListJobs(ctx, &runtimev1.ListJobsRequest{})
				_, _ = client.GetJob(t.Context(), &runtimev1.GetJobRequest{Name: name})
				_ = conn.Invoke(t.Context(), "/"+name+"/"+name, &emptypb.Empty{}, &emptypb.Empty{})
				_ = conn.Invoke(t.Context(), "/dapr.proto.runtime.v1.Dapr/"+name, &emptypb.Empty{}, &emptypb.Empty{})
			}
			if n, longest := countSeries(t, r); n > 700 || len(longest) > 256 {
				t.Errorf("there are %d series, with labels such as %.64q; want 700 at most", n, longest)
			}
		})
	})
}
