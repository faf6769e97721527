package sidecar_test

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"carillon/internal/sidecar"
)

func TestTokenIsCheckedFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{APIToken: "secret"})
		for _, c := range []struct {
			method, path string
			headers      []string
			code         int
		}{
			{"GET", "/v1.0/jobs/a", nil, 401},
			{"GET", "/v1.0/jobs/a", []string{"dapr-api-token: secre"}, 401},
			{"GET", "/v1.0/jobs/a", []string{"dapr-api-token: other!"}, 401},
			{"GET", "/v1.0/jobs/a", []string{"dapr-app-id: other"}, 401},
			{"GET", "/nothing", nil, 401},
			{"POST", "/v1.0/healthz", nil, 401},
			{"GET", "/v1.0-alpha1/healthz", nil, 401},
			{"GET", "/v1.0/jobs/a", []string{"Dapr-Api-Token: secret"}, 500},
			{"DELETE", "/v1.0/jobs/a", []string{"Dapr-Api-Token: secret"}, 204},
			{"GET", "/nothing", []string{"dapr-api-token: secret"}, 404},
			{"GET", "/v1.0/healthz", nil, 204},
			{"GET", "//v1.0/healthz/", nil, 204},
			{"GET", "/v1.0/healthz/outbound/", nil, 204},
		} {
			got := f.send(c.method, c.path, "", c.headers...)
			if got.code != c.code {
				t.Errorf("%s %s %q = %d, want %d", c.method, c.path, c.headers, got.code, c.code)
			}
			if c.code == 401 && (got.body != "invalid api token\n" || got.header.Get("X-Content-Type-Options") != "nosniff" ||
				got.header.Get("Content-Type") != "text/plain; charset=utf-8") {
				t.Errorf("%s %s: %q %q, want Dapr's text", c.method, c.path, got.header, got.body)
			}
		}
	})
}

func TestHeadersAreLimitedInSizeAndTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		if got := f.send("GET", "/v1.0/jobs/a", "", "x: "+strings.Repeat("x", 10<<10)); got.code != 431 {
			t.Errorf("10 KiB of headers: %d, want 431", got.code)
		}
		conn, err := f.dial(t.Context(), "sidecar:3500")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("read %d bytes of an answer, want the connection closed", n)
		}
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("a client that sends no headers was cut off after %v, want 10s", d)
		}
	})
}

func TestHTTPAPISpeaksH2C(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		tr := &http.Transport{DialContext: f.dialAny("sidecar:3500"), Protocols: new(http.Protocols)}
		tr.Protocols.SetUnencryptedHTTP2(true)
		defer tr.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:3500/v1.0/jobs/a%2Bb+c",
			strings.NewReader(`{"dueTime":"1s"}`))
		if err != nil {
			t.Fatal(err)
		}
		res, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != 204 || res.ProtoMajor != 2 || f.scheduler.job("default|sub|a+b c") == nil {
			t.Errorf("POST = %d over %s, want 204 over HTTP/2.0, and the job", res.StatusCode, res.Proto)
		}
	})
}

func TestInvalidConfigIsRefused(t *testing.T) {
	for _, cfg := range []sidecar.Config{
		{},
		{DefaultApp: "a", Streams: -1},
		{DefaultApp: "a", MaxBody: -1},
		{DefaultApp: "a", MaxHeader: -1},
		{DefaultApp: "a", AppToken: "token\n"},
		{Apps: []sidecar.App{{ID: ""}}, DefaultApp: "a"},
		{Apps: []sidecar.App{{ID: "a", Protocol: "ftp"}}},
		{Apps: []sidecar.App{{ID: "a", Address: "nowhere"}}},
		{Apps: []sidecar.App{{ID: "a"}, {ID: "a"}}, AnyApp: true},
		{Apps: []sidecar.App{{ID: "a"}, {ID: "b"}}},
	} {
		if s, err := sidecar.New(cfg, sidecar.Dialers{}, nil); s != nil || err == nil {
			t.Errorf("New(%+v) = %v, %v, want an error", cfg, s, err)
		}
	}
}

func TestFailedListenerEndsSidecar(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := new(network)
		s, err := sidecar.New(sidecar.Config{DefaultApp: "sub"}, sidecar.Dialers{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		l := n.listen("sidecar:3500")
		_ = l.Close()
		if err := s.Run(t.Context(), sidecar.Listeners{HTTP: []net.Listener{l}, GRPC: []net.Listener{n.listen("sidecar:50001")}}); err == nil {
			t.Error("Run = nil, want the listener's error")
		}
	})
}

func TestH2CUpgradeIsIgnored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`,
			"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
		if got.code != 204 {
			t.Errorf("POST = %d, want 204 over HTTP/1.1, which the client must be ready for", got.code)
		}
	})
}

func TestHealthChecksAppID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		if got := f.send("GET", "/v1.0/healthz?appid=sub", ""); got.code != 204 || got.body != "" {
			t.Errorf("healthz of the own app = %d %s, want 204", got.code, got.body)
		}
		f.wantError("healthz of another app", f.send("GET", "/v1.0/healthz?appid=pub", ""), 500,
			errorBody("ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match", nil))
	})
}
