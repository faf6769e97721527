package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"carillon/internal/exit"
	"carillon/internal/logtest"
)

// node is a running carillon process.
type node struct {
	cmd *exec.Cmd
	api string        // address of the HTTP API, in dev
	all chan struct{} // closed at the end of its output

	said logtest.Page
}

// startNode starts an all-in-one node on free ports. It runs until it is stopped or the test ends.
func startNode(t *testing.T, args ...string) *node {
	t.Helper()
	var api string
	n := launch(t, self(t, append([]string{"dev", "--dapr-http-port=0", "--dapr-grpc-port=0", "--port=0"}, args...)...),
		func(line string) bool {
			if m := regexp.MustCompile(`HTTP API +(http://\S+)`).FindStringSubmatch(line); m != nil {
				api = m[1]
			}
			return api != ""
		})
	n.api = api
	return n
}

// launch starts cmd and waits for an output line that ready accepts. The process runs until it is stopped or
// the test ends.
func launch(t *testing.T, cmd *exec.Cmd, ready func(line string) bool) *node {
	t.Helper()
	n := &node{cmd: cmd, all: make(chan struct{})}
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	n.cmd.Stderr = &n.said
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
		if t.Failed() {
			t.Logf("node %d said:\n%s", n.cmd.Process.Pid, n.said.String())
		}
	})
	lines := bufio.NewReader(stdout)
	for line := ""; !ready(line); {
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatalf("the node did not say where it is: %v\n%s%s", err, n.said.String(), line)
		}
		_, _ = n.said.Write([]byte(line))
	}
	go func() {
		_, _ = io.Copy(&n.said, lines)
		close(n.all)
	}()
	return n
}

// wait waits until the process has ended and its output is read. Its child processes must have ended too.
func (n *node) wait() error {
	<-n.all
	return n.cmd.Wait()
}

func (n *node) schedule(t *testing.T, name, body string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.api+"/v1.0-alpha1/jobs/"+name, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("dapr-app-id", "sub")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return err
}

// startApp starts an app that counts its triggers by name.
func startApp(t *testing.T) (flag string, received chan string) {
	t.Helper()
	received = make(chan string, 10_000)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		received <- strings.TrimPrefix(r.URL.Path, "/job/")
	}))
	t.Cleanup(s.Close)
	return "--app=sub=" + s.URL, received
}

// TestAcknowledgedJobsSurviveKill9 repeatedly kills the process under load, and checks that each acknowledged
// job reaches the app.
func TestAcknowledgedJobsSurviveKill9(t *testing.T) {
	dir := t.TempDir()
	app, received := startApp(t)
	acked, came := map[string]bool{}, map[string]bool{}
	var mu sync.Mutex
	for life := range 3 {
		n := startNode(t, "--data-dir", dir, app)
		var users sync.WaitGroup
		for user := range 8 {
			users.Go(func() {
				for i := 0; ; i++ {
					name := fmt.Sprintf("%d-%d-%d", life, user, i)
					if err := n.schedule(t, name, `{"job": {"dueTime": "100ms"}}`); err != nil {
						return
					}
					mu.Lock()
					acked[name] = true
					mu.Unlock()
				}
			})
		}
		for range 50 { // the load is under way
			select {
			case name := <-received:
				came[name] = true
			case <-time.After(patience):
				t.Fatalf("the app received nothing for %v", patience)
			}
		}
		if err := n.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		users.Wait()
		_ = n.cmd.Wait()
	}
	startNode(t, "--data-dir", dir, app)
	deadline := time.After(patience)
	for name := range acked {
		for !came[name] {
			select {
			case other := <-received:
				came[other] = true
			case <-deadline:
				t.Fatalf("%s, one of %d acknowledged jobs, never came", name, len(acked))
			}
		}
	}
	t.Logf("%d jobs were acknowledged, and came", len(acked))
}

func TestSignalStopsDev(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			app, _ := startApp(t)
			n := startNode(t, "--data-dir", t.TempDir(), app, "--", "sleep", "1000")
			if err := n.schedule(t, "a", `{"job": {"dueTime": "1h"}}`); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			if err := n.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := n.cmd.Wait(); err != nil {
				t.Errorf("it ended with %v, want exit code 0", err)
			}
			if took := time.Since(begin); took > atOnce {
				t.Errorf("stopping took %v", took)
			}
			if out := n.said.String(); strings.Contains(out, "level=error") || strings.Contains(out, "level=warning") {
				t.Error("a clean stop is no reason for warnings")
			}
		})
	}
}

func TestShutdownOverAPIStopsNodeAndApp(t *testing.T) {
	stubborn := []string{"sh", "-c", `trap "" TERM; while :; do sleep 1; done`}
	for what, c := range map[string]struct {
		app   []string
		force string
		code  int
	}{
		"in good order": {[]string{"sleep", "1000"}, "", exit.OK},
		"by force":      {stubborn, "true", exit.Failed},
	} {
		t.Run(what, func(t *testing.T) {
			n := startNode(t, append([]string{"--data-dir", t.TempDir(), "--app-grace-period", "1h", "--"}, c.app...)...)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.api+"/v1.0/shutdown", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("dapr-force-shutdown", c.force)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNoContent {
				t.Errorf("POST = %s, want 204", resp.Status)
			}
			ended := make(chan error, 1)
			go func() { ended <- n.cmd.Wait() }()
			select {
			case err := <-ended:
				if exitCode(err) != c.code {
					t.Errorf("it ended with %v, want exit code %d", err, c.code)
				}
			case <-time.After(patience):
				t.Error("it did not end")
			}
		})
	}
}

func TestSecondNodeOnDataDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	startNode(t, "--data-dir", dir)
	out, err := self(t, "dev", "--dapr-http-port=0", "--dapr-grpc-port=0", "--port=0", "--data-dir", dir).CombinedOutput()
	if exitCode(err) != exit.Failed || !strings.Contains(string(out), dir) || !strings.Contains(string(out), "another carillon is running") {
		t.Errorf("exit code %d, %s", exitCode(err), out)
	}
}

func TestDevPortInUseNamesItsFlag(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"--dapr-http-port", "--dapr-grpc-port", "--port"} {
		args := []string{"dev", "--data-dir", t.TempDir(), "--dapr-http-port=0", "--dapr-grpc-port=0", "--port=0", name + "=" + port}
		out, err := self(t, args...).CombinedOutput()
		if exitCode(err) != exit.Failed || !strings.Contains(string(out), name+" "+port) || !strings.Contains(string(out), "choose another port") {
			t.Errorf("%s: exit code %d, %s", name, exitCode(err), out)
		}
		if first, _, _ := strings.Cut(string(out), "\n"); !strings.HasPrefix(first, "carillon dev keeps its jobs in "+args[2]) {
			t.Errorf("%s: the first line on a terminal is %q, want one that names the directory of the jobs", name, first)
		}
	}
}

func TestWrongCommandLineExitsWith2(t *testing.T) {
	for _, args := range [][]string{{"nonsense"}, {"dev", "--nonsense"}, {"dev", "--port=x"}, {"dev", "app"}, {"version", "x"}} {
		if err := self(t, args...).Run(); exitCode(err) != exit.Usage {
			t.Errorf("carillon %v ended with %d, want %d", args, exitCode(err), exit.Usage)
		}
	}
}

func exitCode(err error) int {
	if ended, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Run wraps nothing
		return ended.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

func TestSecondSignalKillsNodeAndApp(t *testing.T) {
	n := startNode(t, "--data-dir", t.TempDir(), "--", "sh", "-c", "trap '' TERM; echo stubborn; sleep 1000")
	for deadline := time.Now().Add(patience); !strings.Contains(n.said.String(), "stubborn"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the app did not start")
		}
	}
	ended := make(chan int, 1)
	go func() { // Wait would also wait for the output, which the app has too
		state, err := n.cmd.Process.Wait()
		if err != nil {
			t.Error(err)
		}
		ended <- state.ExitCode()
	}()
	for range 20 { // one of them is the second
		_ = n.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case code := <-ended:
			if code != exit.Failed {
				t.Errorf("it ended with %d, want %d", code, exit.Failed)
			}
			select {
			case <-n.all:
			case <-time.After(patience):
				t.Error("the app is still running")
			}
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Error("it did not end")
}

func TestWrongCommandLineSaysWhatToWrite(t *testing.T) {
	for _, c := range []struct{ args, env, want string }{
		{"dev --app foo=127.0.0.1:80", "", "write foo=http://127.0.0.1:80"},
		{"dev --app foo=localhost:80", "", "write foo=http://localhost:80"},
		{"dev --app-grace-period 5", "", `invalid value "5" for flag --app-grace-period: it must be a duration with a unit, such as 5s`},
		{"dev", "CARILLON_APP_GRACE_PERIOD=5", "CARILLON_APP_GRACE_PERIOD: it must be a duration with a unit, such as 5s"},
		{"dev --strict=perhaps", "", "--strict: it must be true or false"},
		{"dev --app-port abc", "", "a port must be a number from 0 to 65535"},
		{"dev", "CARILLON_APP_PORT=abc", "a port must be a number from 0 to 65535"},
		{"dve", "", "did you mean dev?"},
		{"dev --log-level loud", "", `--log-level "loud" is unknown`},
	} {
		cmd := self(t, strings.Fields(c.args)...)
		cmd.Dir = t.TempDir()
		cmd.Env = append(cmd.Environ(), c.env)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); exitCode(err) != exit.Usage || !strings.Contains(errs.String(), c.want) || out.Len() > 0 {
			t.Errorf("%s %s: exit code %d, %s%s, want %q", c.env, c.args, exitCode(err), out.String(), errs.String(), c.want)
		}
	}
}

func TestDevSaysWhyDataDirectoryIsUnusable(t *testing.T) {
	for _, c := range []struct{ link, to, args, want string }{
		{".carillon", "/nonexist", "", ".carillon is a symbolic link to /nonexist, which does not exist"},
		{".carillon", ".carillon", "", "a symbolic link that leads back to itself"},
		{"x", "/nonexist", "--data-dir=x", "--data-dir "},
	} {
		cmd := self(t, append([]string{"dev", "--dapr-http-port=0", "--dapr-grpc-port=0", "--port=0"}, strings.Fields(c.args)...)...)
		cmd.Dir = t.TempDir()
		if err := os.Symlink(c.to, filepath.Join(cmd.Dir, c.link)); err != nil {
			t.Fatal(err)
		}
		out, err := cmd.CombinedOutput()
		if exitCode(err) != exit.Failed || !strings.Contains(string(out), c.want) || !strings.Contains(string(out), "--data-dir") {
			t.Errorf("%s -> %s: exit code %d, %s, want %q", c.link, c.to, exitCode(err), out, c.want)
		}
	}
}

func TestVersionFlagHasTwoNames(t *testing.T) {
	for _, flag := range []string{"-o", "--output"} {
		if out, err := self(t, "version", flag, "json").CombinedOutput(); err != nil || !strings.Contains(string(out), `"goVersion"`) {
			t.Errorf("version %s json: %v, %s", flag, err, out)
		}
	}
}
