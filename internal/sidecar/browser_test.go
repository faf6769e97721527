package sidecar_test

import (
	"slices"
	"strings"
	"testing"

	"carillon/internal/crossorigin"
	"carillon/internal/sidecar"
)

// A web page can make a browser on this host send these requests without a preflight. The browser
// names the page's origin.
func TestCrossSiteRequestIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stopped := false
		f := start(t, sidecar.Config{Shutdown: func(bool) { stopped = true }})
		const job, batch = `{"dueTime":"1s","overwrite":true}`, `[{"name":"b","dueTime":"1s"}]`
		for _, headers := range [][]string{
			{"Origin: https://evil.example", "Content-Type: text/plain"},
			{"Origin: null"},
			{"Origin: http://localhost:8080"},
			{"Sec-Fetch-Site: cross-site"},
			{"Sec-Fetch-Site: same-site", "Origin: http://localhost:3500"},
		} {
			for path, body := range map[string]string{"/v1.0/jobs/a": job, "/v1.0-alpha1/jobs/a": `{"job":` + job + `}`, "/v1/jobs/batch": batch, "/v1.0/shutdown": ""} {
				if got := f.send("POST", path, body, headers...); got.code != 403 {
					t.Errorf("POST %s with %q = %d %s, want 403", path, headers, got.code, got.body)
				}
			}
			if got := f.send("DELETE", "/v1.0/jobs/a", "", headers...); got.code != 403 {
				t.Errorf("DELETE with %q = %d, want 403", headers, got.code)
			}
			if got := f.send("PUT", "/v1.0/metadata/k", "v", headers...); got.code != 403 {
				t.Errorf("PUT with %q = %d, want 403", headers, got.code)
			}
			if got := f.send("GET", "/v1.0/metadata", "", headers...); got.code != 200 || got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("GET with %q = %d %q, want 200 that no page may read", headers, got.code, got.header)
			}
		}
		if stopped || f.scheduler.job("default|sub|a") != nil || f.scheduler.job("default|sub|b") != nil {
			t.Error("a page of another site has changed something")
		}
		for _, headers := range [][]string{nil, {"Origin: http://localhost:3500"}, {"Sec-Fetch-Site: none"}, {"Sec-Fetch-Mode: cors"}} {
			if got := f.send("POST", "/v1.0/jobs/a", job, headers...); got.code != 204 {
				t.Errorf("POST with %q = %d %s, want 204", headers, got.code, got.body)
			}
		}
	})
}

// If a foreign name resolves to this host, its page has our origin to a browser.
func TestDNSRebindingIsRefused(t *testing.T) {
	names := []string{"localhost", "localhost:3500", "LOCALHOST.:3500", "127.0.0.1:3500", "127.1.2.3", "[::1]:3500", "[::1]", "[::1%25lo]:3500"}
	foreign := []string{
		"evil.example", "evil.example:3500", "evil.example.", "127.0.0.1.evil.example:3500", "localhost.evil.example", "internal.evil.example:80",
		"mac.local:3500", "app.localhost:3500", "host.docker.internal:3500", "sidecar:3500", "10.0.0.1:3500", "app.default.svc.cluster.local", "2130706433:3500",
	}
	send := func(f *fixture, to, path, host string, headers ...string) answer {
		lines := strings.Join(append(headers, "Connection: close"), "\r\n")
		return f.sendTo(to, "GET", "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\n"+lines+"\r\n\r\n")
	}
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t, loopback: true}
		f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
		f.run(sidecar.Config{Schedulers: []string{schedulerAddress}, Hosts: crossorigin.Hosts{Own: []string{"this.example"}, Allowed: []string{"Gateway.Example"}}})
		for _, host := range append(names, "this.example:3500", "gateway.example") {
			if got := send(f, apiAddress, "/v1.0/metadata", host); got.code != 200 {
				t.Errorf("for %q: %d %s, want 200", host, got.code, got.body)
			}
		}
		for _, host := range foreign {
			for _, path := range []string{"/v1.0/metadata", "/v1.0/jobs/a", "/nothing"} {
				if got := send(f, apiAddress, path, host); got.code != 403 || !strings.Contains(got.body, "--allowed-hosts") {
					t.Errorf("%s for %q: %d %s, want 403 that names --allowed-hosts", path, host, got.code, got.body)
				}
			}
			if got := send(f, publicAddress, "/v1.0/metadata", host); got.code != 403 {
				t.Errorf("the public port for %q: %d, want 403", host, got.code)
			}
			for _, to := range []string{apiAddress, publicAddress} {
				if got := send(f, to, "/v1.0/healthz", host); got.code != 204 {
					t.Errorf("health at %s for %q: %d, want 204", to, host, got.code)
				}
			}
		}
	})
	bubble(t, func(t *testing.T) { // other hosts may use any name, but no web page may
		f := start(t, sidecar.Config{})
		for _, host := range slices.Concat(names, foreign) {
			if got := send(f, apiAddress, "/v1.0/metadata", host); got.code != 200 {
				t.Errorf("for %q: %d over the network, want 200", host, got.code)
			}
		}
		for _, host := range foreign {
			if got := send(f, apiAddress, "/v1.0/metadata", host, "Origin: http://"+host); got.code != 403 {
				t.Errorf("for %q, from a page of that name: %d over the network, want 403", host, got.code)
			}
		}
	})
	bubble(t, func(t *testing.T) { // a configured list applies to the network, too
		f := start(t, sidecar.Config{Hosts: crossorigin.Hosts{Allowed: []string{"sidecar"}}})
		for host, want := range map[string]int{"sidecar:3500": 200, "localhost:3500": 200, "other:3500": 403} {
			if got := send(f, apiAddress, "/v1.0/metadata", host); got.code != want {
				t.Errorf("for %q: %d with a list of hosts, want %d", host, got.code, want)
			}
		}
	})
}

// A page does not know the token.
func TestTokenReplacesOriginCheck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{APIToken: "secret"})
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`, "Origin: https://example.com", "dapr-api-token: secret"); got.code != 204 {
			t.Errorf("%d, want 204", got.code)
		}
	})
}
