package sidecar_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"carillon/internal/logtest"
	"carillon/internal/sidecar"
)

// It makes all kinds of calls, with the right token and with wrong ones. The fake scheduler looks
// for a token in each call.
func TestTokensAreNeitherLoggedNorForwarded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		log := new(lines)
		n := new(network)
		f := &fixture{
			network: n, t: t, scheduler: newScheduler(t, n, schedulerAddress, schedulerAddress),
			log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		}
		seen := n.app(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
		f.run(sidecar.Config{
			Apps: []sidecar.App{{ID: "sub", Address: appAddress}}, Schedulers: []string{schedulerAddress},
			APIToken: "right-t0ken", AppToken: "app-t0ken", LogCalls: true,
		})
		client := runtimev1.NewDaprClient(f.grpc())
		for _, token := range []string{"right-t0ken", "wrong-t0ken"} {
			h := "dapr-api-token: " + token
			f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s","overwrite":true}`, h)
			f.send("GET", "/v1.0/jobs/a", "", h)
			f.send("GET", "/v1.0/jobs/none", "", h)
			f.send("POST", "/v1/jobs/batch", `[{"name":"b","dueTime":"1h"}]`, h)
			f.send("GET", "/v1.0/metadata", "", h)
			f.send("DELETE", "/v1.0/jobs/a", "", h)
			ctx := metadata.AppendToOutgoingContext(t.Context(), "dapr-api-token", token)
			_, _ = client.ScheduleJob(ctx, &runtimev1.ScheduleJobRequest{Job: &runtimev1.Job{Name: "c", DueTime: new("1h")}})
			_, _ = client.ListJobs(ctx, new(runtimev1.ListJobsRequest))
		}
		w := f.scheduler.stream()
		w.trigger(1, "a", nil)
		w.wantResult(t, "the app says no", 1, false)
		got := seen()
		if len(got) != 1 || got[0].header.Get("dapr-api-token") != "app-t0ken" {
			t.Errorf("the app got %+v, want one trigger, with its own token", got)
		}
		f.stop()
		text := log.String()
		if strings.Contains(text, "t0ken") {
			t.Errorf("a token is in the log:\n%s", text)
		}
		if !strings.Contains(text, "API Called") || !strings.Contains(text, "did not handle") {
			t.Errorf("the log says less than it would have to for this test:\n%s", text)
		}
	})
}

// A silent client is disconnected during the handshake, and before its first request.
func TestSilentGRPCClientIsDisconnected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		conn, err := f.dial(t.Context(), "sidecar:50001")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		began := time.Now()
		for buffer := make([]byte, 1<<10); err == nil; _, err = conn.Read(buffer) {
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("a connection that is none lasted %v", took)
		}
		began = time.Now()
		slow, err := f.grpc().NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, runtimev1.Dapr_GetJob_FullMethodName)
		if err != nil {
			t.Fatal(err)
		}
		err = slow.RecvMsg(new(schedulerv1.GetJobResponse))
		if took := time.Since(began); status.Code(err) != codes.DeadlineExceeded || took > 3*time.Minute {
			t.Errorf("a call that asks for nothing ended after %v with %v", took, err)
		}
	})
}

func TestCallsWithoutTokenAreLoggedOrCounted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, page := newFixture(t), new(logtest.Page)
		f.log = slog.New(slog.NewTextHandler(page, nil))
		f.run(sidecar.Config{Schedulers: []string{schedulerAddress}, APIToken: "right"})
		client := runtimev1.NewDaprClient(f.grpc())
		_, _ = client.GetJob(t.Context(), &runtimev1.GetJobRequest{Name: "a"})
		_, _ = client.GetJob(metadata.AppendToOutgoingContext(t.Context(), "dapr-api-token", "wrong"), &runtimev1.GetJobRequest{Name: "a"})
		const line = `level=WARN msg="a request without the API token was refused" component=sidecar `
		for _, reason := range []string{"no token came", "the token in the header dapr-api-token is not the value"} {
			if !strings.Contains(page.String(), line+`reason="`+reason) || !strings.Contains(page.String(), "method="+runtimev1.Dapr_GetJob_FullMethodName) {
				t.Errorf("over gRPC no line says %q:\n%s", reason, page)
			}
		}
		for range 100 {
			f.send("GET", "/v1.0/jobs/a", "")
		}
		time.Sleep(time.Minute)
		if n := strings.Count(page.String(), line); n != 9 || !strings.Contains(page.String(), line+"count=94 ") {
			t.Errorf("there are %d lines of 102 calls, want 8 and one that counts 94:\n%s", n, page)
		}
	})
}
