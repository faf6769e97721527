package carillon_test

import (
	"bufio"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// checkPrograms runs the programs of the pages for users: those that schedule a job, and the app of the first job.
func checkPrograms(t *testing.T, api string) {
	sdks := read(t, "docs/sdks.md")
	for name, run := range map[string][]string{"js": {"node", "--input-type=module", "-e"}, "python": {"python3", "-c"}} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(run[0]); err != nil {
				t.Skipf("%s is not installed", run[0])
			}
			_, port, _ := strings.Cut(api, ":")
			program := exec.CommandContext(t.Context(), run[0], append(run[1:], program(t, sdks, name))...)
			program.Env = append(program.Environ(), "DAPR_HTTP_PORT="+port)
			request{method: http.MethodDelete, path: "/v1.0/jobs/report"}.send(t, api)
			if out, err := program.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if status, answer := (request{method: http.MethodGet, path: "/v1.0/jobs/report"}).send(t, api); status != http.StatusOK {
				t.Errorf("the job that it schedules: %d %s, want 200", status, answer)
			}
		})
	}
	t.Run("app", func(t *testing.T) {
		need(t, "node")
		app := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", program(t, read(t, "docs/first-job.md"), "js"))
		port := freePort(t)
		app.Env = append(app.Environ(), "APP_PORT="+port)
		stdout, err := app.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := app.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = app.Process.Kill()
			_ = app.Wait()
		}()
		awaitListener(t, port)
		job := request{method: http.MethodPost, path: "/job/hello", body: `{"order":7}`}
		if status, _ := job.send(t, "127.0.0.1:"+port); status != http.StatusOK {
			t.Errorf("the app answered %d, want 200", status)
		}
		if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "POST /job/hello {\"order\":7}\n" {
			t.Errorf("the app printed %q (%v)", line, err)
		}
	})
}

// program returns the first example of the language in a page.
func program(t *testing.T, page, language string) string {
	t.Helper()
	m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the page has no example in %s", language)
	}
	return m[1]
}

// awaitListener waits until something listens on the port.
func awaitListener(t *testing.T, port string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
