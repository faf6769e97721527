// Package compat runs clients that others have published against the program as it is built: what their users would
// see, over real ports and in real time. The packages of the program hold the details; this holds that clients work.
//
// It is a module of its own, because the clients bring along what the program does not need.
package compat_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// patience is how long anything may take that ought to take a moment. It is generous: the machine may be busy.
const patience = time.Minute

// An app is where a sidecar delivers to. Its id is sub.
type app struct {
	protocol string // as --app-protocol has it
	port     int    // of 127.0.0.1
}

// A sidecar is a running Carillon that serves the app sub.
type sidecar struct {
	http, grpc string // addresses of its API, each localhost:PORT
}

// A role is a way to run a sidecar, with all that it needs, until the test ends. Its variables are env and no others.
type role func(t *testing.T, a app, env ...string) sidecar

// inEachRole runs test once for each role that can stand in for a sidecar.
func inEachRole(t *testing.T, test func(t *testing.T, run role)) {
	for name, run := range map[string]role{"dev": dev, "sidecar": apart} {
		t.Run(name, func(t *testing.T) { test(t, run) })
	}
}

// dev runs everything in one process.
func dev(t *testing.T, a app, env ...string) sidecar {
	t.Helper()
	found := launch(t, env, []string{`HTTP API +http://(\S+)`, `gRPC API +(\S+)`},
		"dev", "--app-id", "sub", "--app-protocol", a.protocol, "--app-port", strconv.Itoa(a.port),
		"--dapr-http-port", "0", "--dapr-grpc-port", "0", "--port", "0", "--data-dir", filepath.Join(t.TempDir(), "data"))
	return sidecar{http: found[0], grpc: found[1]}
}

// apart runs a scheduler and a sidecar in processes of their own, in the places of Dapr's.
func apart(t *testing.T, a app, env ...string) sidecar {
	t.Helper()
	scheduler := launch(t, env, []string{`sidecars_use=(\S+)`},
		"scheduler", "--listen-address", "127.0.0.1", "--port", "0", "--healthz-listen-address", "127.0.0.1",
		"--healthz-port", "0", "--enable-metrics=false", "--etcd-data-dir", filepath.Join(t.TempDir(), "data"))
	found := launch(t, env, []string{`HTTP server is running on port.* address=(\S+)`, `API gRPC server is running on port.* address=(\S+)`},
		"sidecar", "--app-id", "sub", "--app-protocol", a.protocol, "--app-port", strconv.Itoa(a.port),
		"--dapr-listen-addresses", "127.0.0.1", "--dapr-http-port", "0", "--dapr-grpc-port", "0", "--enable-metrics=false",
		"--scheduler-host-address", scheduler[0])
	return sidecar{http: found[0], grpc: found[1]}
}

// launch starts the program and returns once it has printed a line for each of the patterns, with what their groups
// found. It is killed when the test ends.
func launch(t *testing.T, env []string, patterns []string, args ...string) []string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append([]string{}, env...)
	var log buffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("carillon %s said:\n%s", args[0], log.String())
		}
	})
	silent := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer silent.Stop()
	found, missing := make([]string, len(patterns)), len(patterns)
	for lines := bufio.NewScanner(stdout); missing > 0; {
		if !lines.Scan() {
			t.Fatalf("carillon %s did not say where it listens: %v", args[0], lines.Err())
		}
		fmt.Fprintln(&log, lines.Text())
		for i, p := range patterns {
			if m := regexp.MustCompile(p).FindStringSubmatch(lines.Text()); m != nil && found[i] == "" {
				found[i] = m[1]
				missing--
			}
		}
	}
	go func() { _, _ = io.Copy(&log, stdout) }()
	return found
}

// A buffer collects what a process says. It is safe for concurrent use.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// scratch is a folder that lasts as long as the tests.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "compat")
	if err != nil {
		panic(err)
	}
	scratch = dir
	m.Run()
	_ = os.RemoveAll(dir)
}

// program builds the program from the code around this module, once, and returns its path.
var program = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(scratch, "carillon")
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", path, "./cmd/carillon").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})
