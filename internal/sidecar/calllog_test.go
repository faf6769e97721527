package sidecar_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"

	"carillon/internal/logtest"
	"carillon/internal/sidecar"
)

// lines is a log in JSON, line by line.
type lines struct{ logtest.Page }

// of returns the lines with that message, without attributes that differ between runs.
func (l *lines) of(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(l.String()) {
		var attrs map[string]any
		if err := json.Unmarshal([]byte(line), &attrs); err != nil {
			t.Fatal(err)
		}
		if attrs["msg"] != message {
			continue
		}
		if d, ok := attrs["duration"].(float64); !ok || d < 0 {
			t.Errorf("%s: the duration is %v, want milliseconds", line, attrs["duration"])
		}
		for _, key := range []string{"time", "msg", "component", "duration"} {
			delete(attrs, key)
		}
		found = append(found, attrs)
	}
	return found
}

func TestCallLogHasEachCall(t *testing.T) {
	for _, on := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			var log lines
			n := new(network)
			f := &fixture{
				network: n, t: t, scheduler: newScheduler(t, n, schedulerAddress, schedulerAddress),
				log: slog.New(slog.NewJSONHandler(&log, nil)),
			}
			f.run(sidecar.Config{LogCalls: on, APIToken: "secret", Schedulers: []string{schedulerAddress}})
			const token, agent = "dapr-api-token: secret", "User-Agent: curl/8"
			f.send("POST", "/v1.0/jobs/a%20b?token=secret", `{"dueTime":"1s"}`, token, agent)
			f.send("GET", "/v1.0/jobs/x", "", agent)
			missing := f.send("GET", "/v1.0/jobs/x", "", token, "User-Agent: "+strings.Repeat("x", 300))
			f.send("GET", "/v1.0/healthz", "")
			f.sendTo("sidecar:3501", "GET", "GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\n\r\n")

			c := runtimev1.NewDaprClient(f.grpc())
			ctx := metadata.AppendToOutgoingContext(t.Context(), "dapr-api-token", "secret")
			if _, err := c.GetJob(ctx, &runtimev1.GetJobRequest{Name: "a b"}); err != nil {
				t.Fatal(err)
			}
			_, _ = c.GetJob(t.Context(), &runtimev1.GetJobRequest{Name: "a b"})

			line := func(method string, code any, size int, agent string) map[string]any {
				return map[string]any{"level": "INFO", "method": method, "code": code, "size": float64(size), "useragent": agent}
			}
			wantHTTP := []map[string]any{
				line("POST /v1.0/jobs/a%20b", 204.0, 0, "curl/8"),
				line("GET /v1.0/jobs/x", 401.0, len("invalid api token\n"), "curl/8"),
				line("GET /v1.0/jobs/x", 500.0, len(missing.body), strings.Repeat("x", 200)),
				line("GET /v1.0/healthz", 204.0, 0, ""),
			}
			gotHTTP, gotGRPC := log.of(t, "HTTP API Called"), log.of(t, "gRPC API Called")
			if !on {
				if len(gotHTTP)+len(gotGRPC) > 0 {
					t.Errorf("it is off, and logged %v %v", gotHTTP, gotGRPC)
				}
				return
			}
			if diff := cmp.Diff(wantHTTP, gotHTTP); diff != "" {
				t.Errorf("unexpected lines for HTTP (-want +got):\n%s", diff)
			}
			for _, l := range gotGRPC {
				if agent, _ := l["useragent"].(string); !strings.HasPrefix(agent, "grpc-go/") {
					t.Errorf("the user agent is %v, want grpc-go's", l["useragent"])
				}
				l["useragent"] = ""
			}
			wantGRPC := []map[string]any{
				line("/dapr.proto.runtime.v1.Dapr/GetJob", "OK", 11, ""),
				line("/dapr.proto.runtime.v1.Dapr/GetJob", "Unauthenticated", 0, ""),
			}
			if diff := cmp.Diff(wantGRPC, gotGRPC); diff != "" {
				t.Errorf("unexpected lines for gRPC (-want +got):\n%s", diff)
			}
			if strings.Contains(log.String(), "secret") {
				t.Error("the log has the token")
			}
		})
	}
}
