//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"carillon/internal/exit"
)

// appScript is an app that records its SIGTERMs in the file $1. Its child process does so too, and ends only
// if $2 says so.
const appScript = `
log=$1 child_ends=$2
trap 'echo leader >> "$log"; exit 0' TERM
sh -c 'trap "echo child >> $0; [ $1 = yes ] && exit 0" TERM; echo app-is-up; while :; do sleep 0.05; done' "$log" "$child_ends" &
while :; do sleep 0.05; done
`

func TestAppGetsSIGTERMThenSIGKILL(t *testing.T) {
	for _, c := range []struct {
		name, childEnds string
		grace           time.Duration
		atLeast         time.Duration // minimum time of the stop
	}{
		{"all end at SIGTERM", "yes", time.Minute, 0},
		{"a child ignores SIGTERM", "no", 500 * time.Millisecond, 500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "signals")
			n := startNode(t, "--data-dir", t.TempDir(), "--app-grace-period", c.grace.String(), "--",
				"sh", "-c", appScript, "app", file, c.childEnds)
			waitFor(t, "the app is up", func() bool { return strings.Contains(n.said.String(), "app-is-up") })
			begin := time.Now()
			if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := n.wait(); err != nil {
				t.Errorf("it ended with %v, want exit code 0", err)
			}
			if took := time.Since(begin); took < c.atLeast || took > c.grace+20*time.Second {
				t.Errorf("stopping took %v", took)
			}
			signals, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, who := range []string{"leader", "child"} {
				if got := strings.Count(string(signals), who); got != 1 {
					t.Errorf("the %s got %d SIGTERMs, want 1", who, got)
				}
			}
		})
	}
}

// TestProcessesOfAppEndWithNode ends the app while its child process is running.
func TestProcessesOfAppEndWithNode(t *testing.T) {
	n := startNode(t, "--data-dir", t.TempDir(), "--app-grace-period=200ms", "--", "sh", "-c", "trap '' TERM; sleep 1000 & echo pid $!; exit 0")
	if err := n.wait(); err != nil { // its output ends when nobody has it
		t.Errorf("it ended with %v, want exit code 0", err)
	}
	_, rest, _ := strings.Cut(n.said.String(), "pid ")
	number, _, _ := strings.Cut(rest, "\n")
	pid, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the child has ended", func() bool { // its new parent waits for it
		state, err := exec.CommandContext(t.Context(), "ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
		return err != nil || strings.HasPrefix(string(state), "Z")
	})
}

func TestHangupReopensLog(t *testing.T) {
	dir := t.TempDir()
	log, old := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
	n := startNode(t, "--data-dir", filepath.Join(dir, "data"), "--log-file", log)
	waitFor(t, "the log is written", func() bool { return size(log) > 0 })
	if err := os.Rename(log, old); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the log is opened again", func() bool {
		_ = n.cmd.Process.Signal(syscall.SIGHUP)
		return size(log) >= 0
	})
	if err := n.schedule(t, "a", `{"job": {"dueTime": "1h"}}`); err != nil {
		t.Errorf("after SIGHUP: %v", err)
	}
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := n.wait(); err != nil {
		t.Errorf("it ended with %v, want exit code 0", err)
	}
	if size(log) <= 0 {
		t.Error("nothing was logged to the new file")
	}
}

func TestClosedStdoutDoesNotStopServer(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := self(t, "dev", "--dapr-http-port=0", "--dapr-grpc-port=0", "--port=0", "--data-dir", t.TempDir(), "--", "sh", "-c", "echo up >&2; sleep 1; echo still >&2; exit 7")
	cmd.Stdout = w
	r.Close()
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	said := new(strings.Builder)
	buf := make([]byte, 1024)
	for n, err := out.Read(buf); err == nil; n, err = out.Read(buf) {
		said.Write(buf[:n])
	}
	if err := cmd.Wait(); exitCode(err) != exit.Failed || !strings.Contains(said.String(), "still") {
		t.Errorf("it ended with %v and said %s; want it to end because of the app", err, said)
	}
}

// size returns the size of the file, -1 if there is none.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return info.Size()
}

// waitFor waits until done returns true, for a minute at most.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}
