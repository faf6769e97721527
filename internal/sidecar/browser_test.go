package sidecar_test

import (
	"slices"
	"testing"

	"carillon/internal/sidecar"
)

// What a page of any site can have a browser on this host send, without asking first: the browser says whose page it is.
func TestAPageOfAnotherSiteChangesNothing(t *testing.T) {
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

// A name of somebody else's that leads here makes his page one of our own, as far as a browser can tell.
func TestAPageWhoseNameWasTurnedToThisHostGetsNothing(t *testing.T) {
	names := []string{
		"localhost", "localhost:3500", "LOCALHOST.:3500", "app.localhost:3500", "127.0.0.1:3500", "127.1.2.3", "[::1]:3500", "[::1]", "10.0.0.1:3500",
		"sidecar:3500", "host.docker.internal:3500", "mac.local:3500", "app.default.svc.cluster.local",
	}
	foreign := []string{"evil.example", "evil.example:3500", "evil.example.", "127.0.0.1.evil.example:3500", "localhost.evil.example", "internal.evil.example:80"}
	send := func(f *fixture, path, host string) answer {
		return f.sendRaw("GET", "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
	}
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t, loopback: true}
		f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
		f.run(sidecar.Config{Schedulers: []string{schedulerAddress}})
		for _, host := range names {
			if got := send(f, "/v1.0/metadata", host); got.code != 200 {
				t.Errorf("for %q: %d %s, want 200", host, got.code, got.body)
			}
		}
		for _, host := range foreign {
			for _, path := range []string{"/v1.0/metadata", "/v1.0/jobs/a", "/nothing"} {
				if got := send(f, path, host); got.code != 403 {
					t.Errorf("%s for %q: %d, want 403", path, host, got.code)
				}
			}
			if got := send(f, "/v1.0/healthz", host); got.code != 204 {
				t.Errorf("health for %q: %d, want 204", host, got.code)
			}
		}
	})
	bubble(t, func(t *testing.T) { // others reach it, too, by whatever name
		f := start(t, sidecar.Config{})
		for _, host := range slices.Concat(names, foreign) {
			if got := send(f, "/v1.0/metadata", host); got.code != 200 {
				t.Errorf("for %q: %d on a listener of the network, want 200", host, got.code)
			}
		}
	})
}

// A page does not know the token.
func TestWithATokenItDoesNotMatterWhereACallComesFrom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{APIToken: "secret"})
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`, "Origin: https://example.com", "dapr-api-token: secret"); got.code != 204 {
			t.Errorf("%d, want 204", got.code)
		}
	})
}
