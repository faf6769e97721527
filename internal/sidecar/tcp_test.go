package sidecar_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"

	"carillon/internal/sidecar"
)

// This test uses the machine's network, and real time.
func TestSidecarWorksOverTCP(t *testing.T) {
	listen := func() net.Listener {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	atScheduler, atApp, api := listen(), listen(), listen()
	sched := &scheduler{
		t: t, hosts: []string{atScheduler.Addr().String()}, changed: make(chan struct{}),
		jobs: make(map[string]*schedulerv1.ScheduleJobRequest),
	}
	server := grpc.NewServer()
	schedulerv1.RegisterSchedulerServer(server, sched)
	go func() { _ = server.Serve(atScheduler) }()
	defer server.Stop()
	called := make(chan string, 1)
	app := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.URL.Path })}
	go func() { _ = app.Serve(atApp) }()
	defer app.Close()

	s, err := sidecar.New(sidecar.Config{
		Apps:       []sidecar.App{{ID: "sub", Address: atApp.Addr().String()}},
		Schedulers: []string{atScheduler.Addr().String()}, Streams: 1,
	}, sidecar.Dialers{}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, sidecar.Listeners{HTTP: []net.Listener{api}}) }()

	res, err := http.Post("http://"+api.Addr().String()+"/v1.0/jobs/a", "", strings.NewReader(`{"dueTime":"1s"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		t.Errorf("POST = %s, want 204", res.Status)
	}
	for open, _ := sched.connected(); len(open) == 0; open, _ = sched.connected() {
		res, err := http.Get("http://" + api.Addr().String() + "/v1.0/jobs/a") // takes a while, too
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	sched.stream().trigger(1, "a", nil)
	if got := <-called; got != "/job/a" {
		t.Errorf("the app was called at %s, want /job/a", got)
	}
	if r := <-sched.stream().results; r.GetStatus() != schedulerv1.WatchJobsRequestResultStatus_SUCCESS {
		t.Errorf("the result is %v, want success", r)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}
