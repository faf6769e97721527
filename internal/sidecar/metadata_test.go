package sidecar_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"carillon/internal/sidecar"
)

// grpcMetadata gets the metadata over gRPC.
func (f *fixture) grpcMetadata() *runtimev1.GetMetadataResponse {
	f.t.Helper()
	m, err := runtimev1.NewDaprClient(f.grpc()).GetMetadata(f.t.Context(), &runtimev1.GetMetadataRequest{})
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

// wantMetadata checks the metadata over HTTP and over gRPC.
func (f *fixture) wantMetadata(what, wantHTTP string, wantGRPC *runtimev1.GetMetadataResponse) {
	f.t.Helper()
	got := f.send("GET", "/v1.0/metadata", "")
	if got.code != 200 || got.header.Get("Content-Type") != "application/json" || !strings.HasSuffix(got.body, "}\n") {
		f.t.Errorf("%s: GET = %d %q %q, want 200 application/json with a newline at its end",
			what, got.code, got.header.Get("Content-Type"), got.body)
	}
	if diff := cmp.Diff(decode(f.t, wantHTTP), decode(f.t, got.body)); diff != "" {
		f.t.Errorf("%s: unexpected body (-want +got):\n%s", what, diff)
	}
	if diff := cmp.Diff(wantGRPC, f.grpcMetadata(), protocmp.Transform()); diff != "" {
		f.t.Errorf("%s: unexpected message (-want +got):\n%s", what, diff)
	}
}

func TestMetadataDescribesSidecarAndApp(t *testing.T) {
	actors := &runtimev1.ActorRuntime{RuntimeStatus: runtimev1.ActorRuntime_DISABLED, Placement: "placement: disconnected"}
	const actorsJSON = `"actorRuntime":{"runtimeStatus":"DISABLED","hostReady":false,"placement":"placement: disconnected"}`
	health := sidecar.HealthCheck{
		Enabled: true, Path: "/healthz", Interval: 5 * time.Second, Timeout: 500 * time.Millisecond, Threshold: 3,
	}
	for _, c := range []struct {
		what    string
		cfg     sidecar.Config
		id      string
		version string // the default if empty
		appJSON string
		app     *runtimev1.AppConnectionProperties
	}{
		{
			"no app",
			sidecar.Config{},
			"sub", "",
			`{"protocol":"http","channelAddress":"127.0.0.1"}`,
			&runtimev1.AppConnectionProperties{Protocol: "http", ChannelAddress: "127.0.0.1"},
		},
		{
			"an app over HTTP with everything",
			sidecar.Config{Version: "1.2.3", Apps: []sidecar.App{
				{ID: "sub", Address: "127.0.0.1:6000", MaxConcurrency: 7, Health: health},
			}},
			"sub", "1.2.3",
			`{"port":6000,"protocol":"http","channelAddress":"127.0.0.1","maxConcurrency":7,"health":{"healthCheckPath":"/healthz",
			  "healthProbeInterval":"5s","healthProbeTimeout":"500ms","healthThreshold":3}}`,
			&runtimev1.AppConnectionProperties{
				Port: 6000, Protocol: "http", ChannelAddress: "127.0.0.1", MaxConcurrency: 7,
				Health: &runtimev1.AppConnectionHealthProperties{
					HealthCheckPath: "/healthz", HealthProbeInterval: "5s", HealthProbeTimeout: "500ms", HealthThreshold: 3,
				},
			},
		},
		{
			"an app over gRPC, which has no path of health",
			sidecar.Config{Apps: []sidecar.App{
				{ID: "sub", Protocol: "GRPCS", Address: "[::1]:6000", MaxConcurrency: -1, Health: health},
			}},
			"sub", "",
			`{"port":6000,"protocol":"grpcs","channelAddress":"::1","health":{
			  "healthProbeInterval":"5s","healthProbeTimeout":"500ms","healthThreshold":3}}`,
			&runtimev1.AppConnectionProperties{
				Port: 6000, Protocol: "grpcs", ChannelAddress: "::1",
				Health: &runtimev1.AppConnectionHealthProperties{
					HealthProbeInterval: "5s", HealthProbeTimeout: "500ms", HealthThreshold: 3,
				},
			},
		},
		{
			"the default app of several",
			sidecar.Config{DefaultApp: "b", AnyApp: true, Apps: []sidecar.App{
				{ID: "a", Address: "app:1"}, {ID: "b", Protocol: "h2c", Address: "app:2"},
			}},
			"b", "",
			`{"port":2,"protocol":"h2c","channelAddress":"app"}`,
			&runtimev1.AppConnectionProperties{Port: 2, Protocol: "h2c", ChannelAddress: "app"},
		},
		{
			"several and no default",
			sidecar.Config{AnyApp: true, Apps: []sidecar.App{{ID: "a", Address: "app:1"}}},
			"", "",
			`{"protocol":"http","channelAddress":"127.0.0.1"}`,
			&runtimev1.AppConnectionProperties{Protocol: "http", ChannelAddress: "127.0.0.1"},
		},
	} {
		bubble(t, func(t *testing.T) {
			f := start(t, c.cfg)
			version := c.version
			if version == "" {
				version = sidecar.DaprVersion
			}
			f.wantMetadata(c.what, fmt.Sprintf(`{"id":%q,"runtimeVersion":%q,"enabledFeatures":[],"extended":{"daprRuntimeVersion":%q},
				"appConnectionProperties":%s,%s,"scheduler":{"connected_addresses":["scheduler:50006"]}}`,
				c.id, version, version, c.appJSON, actorsJSON),
				&runtimev1.GetMetadataResponse{
					Id: c.id, RuntimeVersion: version, ExtendedMetadata: map[string]string{"daprRuntimeVersion": version},
					AppConnectionProperties: c.app, ActorRuntime: actors,
					Scheduler: &runtimev1.MetadataScheduler{ConnectedAddresses: []string{"scheduler:50006"}},
				})
		})
	}
}

func TestMetadataHasSchedulerList(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := new(network)
		f := &fixture{network: n, t: t}
		f.run(sidecar.Config{Schedulers: []string{schedulerAddress}, Apps: []sidecar.App{{ID: "sub", Address: "app:80"}}})
		if got := f.send("GET", "/v1.0/healthz", ""); got.code != 500 {
			t.Fatalf("healthz = %d, want 500: there is neither a scheduler nor an app", got.code)
		}
		if got := f.send("GET", "/v1.0/metadata", ""); got.code != 200 || strings.Contains(got.body, "scheduler") {
			t.Errorf("before there is a list: %d %s, want 200 and no scheduler", got.code, got.body)
		}
		if m := f.grpcMetadata(); m.GetScheduler() != nil {
			t.Errorf("before there is a list, over gRPC: %v, want nothing", m.GetScheduler())
		}

		f.scheduler = newScheduler(t, n, schedulerAddress, "b:1", schedulerAddress, "a:1")
		want := []string{"b:1", schedulerAddress, "a:1"}
		check := func(what string) {
			t.Helper()
			if diff := cmp.Diff(want, f.grpcMetadata().GetScheduler().GetConnectedAddresses()); diff != "" {
				t.Errorf("%s, over gRPC: unexpected addresses (-want +got):\n%s", what, diff)
			}
			wantJSON := `"scheduler":{"connected_addresses":["` + strings.Join(want, `","`) + `"]}`
			if got := f.send("GET", "/v1.0/metadata", ""); !strings.Contains(got.body, wantJSON) {
				t.Errorf("%s: %s, want %s in it", what, got.body, wantJSON)
			}
		}
		time.Sleep(10 * time.Second)
		check("the first list")
		want = []string{schedulerAddress}
		f.scheduler.publish(want...)
		synctest.Wait()
		check("a shorter list")
		f.scheduler.die()
		time.Sleep(time.Minute)
		check("when all have gone")
	})
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{Schedulers: []string{`""`}})
		if got := f.send("GET", "/v1.0/metadata", ""); got.code != 200 || strings.Contains(got.body, "scheduler") {
			t.Errorf("without a scheduler: %d %s, want 200 and no scheduler", got.code, got.body)
		}
		if m := f.grpcMetadata(); m.GetScheduler() != nil {
			t.Errorf("without a scheduler, over gRPC: %v, want nothing", m.GetScheduler())
		}
	})
}

func TestClientsSetMetadata(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		c := runtimev1.NewDaprClient(f.grpc())
		want := map[string]string{"daprRuntimeVersion": sidecar.DaprVersion}
		for _, put := range []struct{ path, key, value string }{
			{"cliPID", "cliPID", "4711"},
			{"cliPID", "cliPID", "4712"},
			{"a+b%2Fc%2B", "a b/c+", `not "JSON" <&> é`},
			{"empty/", "empty", ""},
		} {
			if got := f.send("PUT", "/v1.0/metadata/"+put.path, put.value); got.code != 204 || got.body != "" {
				t.Errorf("PUT %s = %d %q, want 204 and no body", put.path, got.code, got.body)
			}
			want[put.key] = put.value
		}
		if _, err := c.SetMetadata(t.Context(), &runtimev1.SetMetadataRequest{Key: "over gRPC", Value: "x"}); err != nil {
			t.Errorf("SetMetadata = %v", err)
		}
		want["over gRPC"] = "x"
		if diff := cmp.Diff(want, f.grpcMetadata().GetExtendedMetadata()); diff != "" {
			t.Errorf("unexpected entries over gRPC (-want +got):\n%s", diff)
		}
		over, _ := decode(t, f.send("GET", "/v1.0/metadata", "").body).(map[string]any)
		got := make(map[string]string)
		for key, value := range over["extended"].(map[string]any) {
			got[key] = value.(string)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("unexpected entries over HTTP (-want +got):\n%s", diff)
		}

		f.wantError("a value that is no text", f.send("PUT", "/v1.0/metadata/x", "\xff"), 400,
			errorBody("ERR_MALFORMED_REQUEST", "the key and the value of metadata must be UTF-8", nil))
		f.wantError("a key that is no text", f.send("PUT", "/v1.0/metadata/%ff", "x"), 400,
			errorBody("ERR_MALFORMED_REQUEST", "the key and the value of metadata must be UTF-8", nil))
	})
}

func TestMetadataIsLimited(t *testing.T) {
	const full = "the metadata is full: it holds at most 1000 entries and 1048576 bytes"
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		c := runtimev1.NewDaprClient(f.grpc())
		set := func(key, value string) error {
			_, err := c.SetMetadata(t.Context(), &runtimev1.SetMetadataRequest{Key: key, Value: value})
			return err
		}
		for i := range 999 { // and the version
			if err := set(fmt.Sprint(i), "x"); err != nil {
				t.Fatalf("entry %d: %v", i, err)
			}
		}
		wantStatus(t, "one entry too many", set("999", "x"), codes.ResourceExhausted, full, "ERR_METADATA_FULL",
			map[string]string{"appID": "", "namespace": ""})
		f.wantError("one entry too many", f.send("PUT", "/v1.0/metadata/y", ""), 429, errorBody("ERR_METADATA_FULL", full, nil))
		if err := set("0", "y"); err != nil {
			t.Errorf("another value for an entry: %v", err)
		}
	})
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		left := 1<<20 - len("daprRuntimeVersion"+sidecar.DaprVersion)
		for _, put := range []struct{ bytes, code int }{{left, 429}, {left - 1, 204}, {left - 1, 204}, {left, 429}, {1, 204}, {left - 1, 204}} {
			if got := f.send("PUT", "/v1.0/metadata/x", strings.Repeat("x", put.bytes)); got.code != put.code {
				t.Errorf("PUT of %d bytes = %d %s, want %d", put.bytes, got.code, got.body, put.code)
			}
		}
		if got := f.send("PUT", "/v1.0/metadata/x", strings.Repeat("x", 4<<20+1)); got.code != 400 || !strings.Contains(got.body, "ERR_BODY_READ") {
			t.Errorf("PUT of more than the body limit = %d %s, want 400 ERR_BODY_READ", got.code, got.body)
		}
		if got := len(f.grpcMetadata().GetExtendedMetadata()["x"]); got != left-1 {
			t.Errorf("the entry has %d bytes, want %d", got, left-1)
		}
	})
}

// SDKs choose their calls by the version, so it must match the protobuf messages.
func TestVersionMatchesDaprModule(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`github\.com/dapr/dapr v([0-9]+\.[0-9]+\.[0-9]+)\n`).FindSubmatch(mod)
	if m == nil || string(m[1]) != sidecar.DaprVersion {
		t.Errorf("DaprVersion = %s, and go.mod has %s", sidecar.DaprVersion, m)
	}
}

func TestMetadataAndShutdownRequireToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		asked := make(chan bool, 10)
		f := start(t, sidecar.Config{APIToken: "secret", Shutdown: func(forced bool) { asked <- forced }})
		c := runtimev1.NewDaprClient(f.grpc())
		for _, request := range []string{"GET /v1.0/metadata", "PUT /v1.0/metadata/a", "POST /v1.0/shutdown"} {
			method, path, _ := strings.Cut(request, " ")
			if got := f.send(method, path, ""); got.code != 401 {
				t.Errorf("%s = %d, want 401", request, got.code)
			}
			if got := f.send(method, path, "", "dapr-api-token: secret"); got.code/100 != 2 {
				t.Errorf("%s with the token = %d, want success", request, got.code)
			}
		}
		_, err := c.GetMetadata(t.Context(), &runtimev1.GetMetadataRequest{})
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("GetMetadata = %v, want Unauthenticated", err)
		}
		if _, err := c.SetMetadata(t.Context(), &runtimev1.SetMetadataRequest{}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("SetMetadata = %v, want Unauthenticated", err)
		}
		if _, err := c.Shutdown(t.Context(), &runtimev1.ShutdownRequest{}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("Shutdown = %v, want Unauthenticated", err)
		}
		time.Sleep(time.Second)
		if len(asked) != 1 {
			t.Errorf("the process was asked to end %d times, want once", len(asked))
		}
	})
}

func TestPublicPortServesHealthAndMetadataOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{APIToken: "secret"})
		for request, code := range map[string]int{
			"GET /v1.0/healthz": 204, "GET /v1.0/healthz?appid=pub": 500, "GET //v1.0/healthz/outbound/": 204, "GET /v1.0/metadata": 200,
			"POST /v1.0/healthz": 404, "PUT /v1.0/metadata/a": 404, "POST /v1.0/shutdown": 404,
			"GET /v1.0/jobs/a": 404, "POST /v1.0/jobs/a": 404, "DELETE /v1.0/jobs/a": 404, "GET /": 404, "HEAD /v1.0/metadata": 404,
		} {
			method, path, _ := strings.Cut(request, " ")
			got := f.sendTo("sidecar:3501", method,
				method+" "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\ndapr-api-token: secret\r\n\r\n")
			if got.code != code {
				t.Errorf("%s = %d %s, want %d", request, got.code, got.body, code)
			}
			if code == 404 && (method != "HEAD" && got.body != "404 page not found\n" ||
				!strings.HasPrefix(got.header.Get("Content-Type"), "text/plain")) {
				t.Errorf("%s: %q %q, want plain text", request, got.header.Get("Content-Type"), got.body)
			}
		}
		bare := f.sendTo("sidecar:3501", "GET", "GET /v1.0/metadata HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if bare.code != 200 || !strings.Contains(bare.body, `"id":"sub"`) {
			t.Errorf("metadata without a token = %d %s, want 200 and those of sub", bare.code, bare.body)
		}
		if calls := f.scheduler.took(); len(calls) > 0 {
			t.Errorf("the scheduler was asked: %v", calls)
		}
	})
}
