package compat_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// node runs a script of the folder js with the API's ports, and these variables, in its environment. It returns what
// the script said, and an error if that is not all well.
func node(t *testing.T, script string, s sidecar, env ...string) (said string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Dir = "js"
	_, httpPort, _ := strings.Cut(s.http, ":")
	_, grpcPort, _ := strings.Cut(s.grpc, ":")
	cmd.Env = append(os.Environ(), append(env, "DAPR_HTTP_PORT="+httpPort, "DAPR_GRPC_PORT="+grpcPort)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// needNode skips the test where there is no node, except on machines that must have one.
func needNode(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("nothing is left out where CI is set: install %s: %v", tool, err)
			}
			t.Skipf("%s is not installed: %v", tool, err)
		}
	}
}

// install is what fetches the SDK, as its lock file says, once for all tests.
var install sync.Once

// needSDK skips the test where there is no node, and else installs what the scripts import.
func needSDK(t *testing.T) {
	t.Helper()
	needNode(t)
	install.Do(func() {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "npm", "ci")
		cmd.Dir = "js"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
	})
}

func TestFetchSpeaksBothDialects(t *testing.T) {
	needNode(t)
	inEachRole(t, func(t *testing.T, run role) {
		received := make(chan [2]string, 10) // path and body
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			received <- [2]string{r.URL.Path, string(body)}
		}))
		defer server.Close()
		s := run(t, app{"http", server.Listener.Addr().(*net.TCPAddr).Port})
		if said, err := node(t, "fetch.mjs", s); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		want := map[string]string{
			"/job/published": `{"@type":"type.googleapis.com/google.type.Expr","expression":"expression1"}`,
			"/job/today":     `["ä",1.5,null]`,
		}
		deadline := time.After(patience)
		for len(want) > 0 {
			select {
			case got := <-received:
				if body, ok := want[got[0]]; !ok || got[1] != body {
					t.Errorf("the app got %q, want %q", got, want)
				}
				delete(want, got[0])
			case <-deadline:
				t.Fatalf("within %v the app did not get %q", patience, want)
			}
		}
	})
}

func TestNpmClientStartsAndSeesHealthySidecar(t *testing.T) {
	needSDK(t)
	inEachRole(t, func(t *testing.T, run role) {
		server := httptest.NewServer(http.NotFoundHandler())
		defer server.Close()
		const token = "DAPR_API_TOKEN=of the api" // the SDK reads it as well
		s := run(t, app{"http", server.Listener.Addr().(*net.TCPAddr).Port}, token)
		if said, err := node(t, "client.mjs", s, token); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
	})
}

func TestNpmServerAnswersTriggers(t *testing.T) {
	needSDK(t)
	inEachRole(t, func(t *testing.T, run role) {
		for range 3 {
			port := freePort(t)
			said, err := node(t, "server.mjs", run(t, app{"grpc", port}), "APP_PORT="+strconv.Itoa(port))
			if err == nil {
				return
			}
			if !strings.Contains(said, "EADDRINUSE") {
				t.Fatalf("%v\n%s", err, said)
			}
		}
		t.Error("three times in a row a free port was taken before the server could have it")
	})
}

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
