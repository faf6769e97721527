package carillon_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// runnable are the examples that end by themselves, and what each needs besides Go.
var runnable = map[string]string{"curl": "curl", "go": "go", "javascript": "node"}

// commandOf returns the one command in the README of an example.
func commandOf(t *testing.T, example string) string {
	t.Helper()
	readme := read(t, "examples/"+example+"/README.md")
	if n := strings.Count(readme, "\n"); n > 30 {
		t.Errorf("the README has %d lines, want 30 at most", n)
	}
	all := blocks(readme)
	if len(all) != 1 || len(all[0]) != 1 {
		t.Fatalf("the README has the commands %q, want one", all)
	}
	return all[0][0]
}

// need skips the test where a tool is missing, but for machines that ought to have it.
func need(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("nothing is left out where CI is set: install %s: %v", tool, err)
		}
		t.Skipf("%s is not installed: %v", tool, err)
	}
}

// shell runs a command as a person would, with these variables on top of the environment.
func shell(t *testing.T, command string, env ...string) (said string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // it compiles, perhaps everything
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+command)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it takes along what it has started
	cmd.WaitDelay = 20 * time.Second
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestExamplesRunByCommandInREADME runs them unchanged, except for ports that may be in use: that of
// the app is replaced, and those of the node are given by its variables.
func TestExamplesRunByCommandInREADME(t *testing.T) {
	appPort := regexp.MustCompile(`--app-port \d+`)
	for example, tool := range runnable {
		t.Run(example, func(t *testing.T) {
			need(t, tool)
			command := commandOf(t, example)
			if len(appPort.FindAllString(command, -1)) != 1 {
				t.Fatalf("%s: want one --app-port", command)
			}
			for range 3 {
				said, err := shell(t, appPort.ReplaceAllString(command, "--app-port "+freePort(t)),
					"CARILLON_DAPR_HTTP_PORT=0", "CARILLON_DAPR_GRPC_PORT=0", "CARILLON_PORT=0", "CARILLON_DATA_DIR="+filepath.Join(t.TempDir(), "data"))
				switch {
				case err == nil && strings.Contains(said, "received job hello"):
					return
				case !strings.Contains(said, "address already in use"):
					t.Fatalf("%s: %v\n%s", command, err, said)
				}
			}
			t.Error("three times in a row a free port was taken before the app could have it")
		})
	}
}

// TestExampleWithoutAPIFails runs what each command has after --, where there is no API.
func TestExampleWithoutAPIFails(t *testing.T) {
	for example, tool := range runnable {
		t.Run(example, func(t *testing.T) {
			need(t, tool)
			_, command, _ := strings.Cut(commandOf(t, example), " -- ")
			nowhere := freePort(t)
			said, err := shell(t, command, "APP_PORT="+freePort(t), "DAPR_HTTP_PORT="+nowhere, "DAPR_GRPC_PORT="+nowhere,
				"DAPR_CLIENT_TIMEOUT_SECONDS=1")
			if err == nil {
				t.Errorf("it ended with %v, and said\n%s", err, said)
			}
		})
	}
}

// freePort returns a port that nobody had a moment ago. Somebody may have taken it since.
func freePort(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}
