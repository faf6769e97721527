package carillon_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestExamplesWork runs the program, and does what the documents say can be done with it.
func TestExamplesWork(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	bin := t.TempDir()
	binary := filepath.Join(bin, "carillon")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd/...").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Run("flags", func(t *testing.T) { checkFlags(t, binary) })

	received := make(chan request, 1000)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		received <- request{method: r.Method, path: r.URL.Path, body: string(body)}
	}))
	t.Cleanup(app.Close)
	api, management := startNode(ctx, t, binary, app.URL)
	t.Run("management", func(t *testing.T) { checkManagement(t, api, management) }) // the first: it counts jobs
	readme := read(t, "README.md")
	t.Run("commands", func(t *testing.T) { checkCommands(t, api, readme) })
	t.Run("batches", func(t *testing.T) { checkBatches(t, api, read(t, "docs/batch.md")) })
	t.Run("pages", func(t *testing.T) { checkPages(t, api, "first-job", "api", "recipes") })
	t.Run("programs", func(t *testing.T) { checkPrograms(t, api) })
	t.Run("fields", func(t *testing.T) { checkFields(t, api, section(t, readme, "What a job can say"), received) })
}

// checkFlags holds that each flag, and each variable that stands for one, exists.
func checkFlags(t *testing.T, binary string) {
	known := map[string]bool{"help": true, "data-binary": true, "cpu-profile": true} // of curl; of profile.Env alone
	commands := [][]string{{binary + "-bench"}}
	for _, command := range []string{
		"dev", "scheduler", "sidecar", "member list", "backup", "restore", "context add", "job list", "job get", "job count", "job why",
		"job upcoming", "schedule explain", "app list", "app get", "node list", "node get",
	} {
		commands = append(commands, append([]string{binary}, strings.Fields(command)...))
	}
	for _, command := range commands {
		help, err := exec.CommandContext(t.Context(), command[0], append(command[1:], "--help")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^ +(?:-[a-zA-Z], )?--([a-z-]+)`).FindAllStringSubmatch(string(help), -1) {
			known[m[1]] = true
		}
	}
	for path, text := range documents(t) {
		for _, m := range regexp.MustCompile("(?m)(?:^|[ `])--([a-z][a-z-]*)").FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s names --%s, which is no flag", path, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`CARILLON_([A-Z_]*[A-Z])`).FindAllStringSubmatch(text, -1) {
			if !known[strings.ToLower(strings.ReplaceAll(m[1], "_", "-"))] {
				t.Errorf("%s names %s, which stands for no flag", path, m[0])
			}
		}
	}
}

// startNode runs a node for the app sub until the test ends, and returns the addresses of its HTTP API and of its
// management API.
func startNode(ctx context.Context, t *testing.T, binary, app string) (api, management string) {
	t.Helper()
	u, err := url.Parse(app)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(ctx, binary, "dev", "--app-id", "sub", "--app-port", u.Port(),
		"--dapr-http-port", "0", "--dapr-grpc-port", "0", "--port", "0", "--management-port", "0", "--data-dir", filepath.Join(t.TempDir(), "data"))
	node.Env = []string{} // nobody's token, namespace or flags
	var log bytes.Buffer
	node.Stderr = &log
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = node.Process.Kill()
		_ = node.Wait()
		if t.Failed() {
			t.Logf("the node said:\n%s", log.String())
		}
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if m := regexp.MustCompile(`HTTP API +http://localhost:(\d+)`).FindStringSubmatch(lines.Text()); m != nil {
			api = "127.0.0.1:" + m[1]
		}
		if m := regexp.MustCompile(`Management +http://localhost:(\d+)`).FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return api, "127.0.0.1:" + m[1]
		}
	}
	t.Fatalf("the node did not say where its API is: %v", lines.Err())
	return "", ""
}

// A request is what a curl command sends, or what an app receives.
type request struct {
	method, path, body string
	header             http.Header
}

// send makes the request to the API at that address and returns the status of the answer, with its body for people.
func (r request) send(t *testing.T, api string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.method, "http://"+api+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, r.header)
	client := &http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// curl returns what a command sends to the jobs API where README has it.
func curl(t *testing.T, command string) request {
	t.Helper()
	r := request{header: http.Header{}}
	var words []string
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(command, -1) {
		words = append(words, m[1]+m[2]+m[3])
	}
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-X":
			i++
			r.method = words[i]
		case "-H":
			i++
			name, value, _ := strings.Cut(words[i], ":")
			r.header.Add(name, strings.TrimSpace(value))
		case "-d":
			i++
			r.body = words[i]
		default:
			path, ok := strings.CutPrefix(words[i], "http://localhost:3500")
			if !ok {
				path, ok = strings.CutPrefix(words[i], "http://localhost:3510")
			}
			if !ok {
				t.Fatalf("%s: what is %q?", command, words[i])
			}
			r.path = path
		}
	}
	return r
}

func checkCommands(t *testing.T, api, readme string) {
	all := blocks(readme)
	if len(all) == 0 || len(all[0]) != 2 || !strings.HasPrefix(all[0][0], "make demo") || !strings.HasPrefix(all[0][1], "make test") {
		t.Errorf("README begins with %q, want make demo and make test", all[:min(1, len(all))])
	}
	ran := 0
	for _, lines := range all {
		for _, line := range lines {
			if !strings.HasPrefix(line, "curl ") {
				continue
			}
			ran++
			if status, answer := curl(t, line).send(t, api); status != http.StatusAccepted {
				t.Errorf("%s\nanswered %d %s, want 202", line, status, answer)
			}
		}
	}
	if ran != 3 {
		t.Errorf("README has %d curl commands, want one each to schedule, get and delete", ran)
	}
}

// checkManagement does what docs/management.md says, with the one job that it speaks of.
func checkManagement(t *testing.T, api, management string) {
	const job = "/v1.0-alpha1/jobs/report"
	r := request{method: http.MethodPost, path: job, body: `{"schedule": "@daily", "repeats": 3, "data": "hi"}`}
	if status, answer := r.send(t, api); status != http.StatusNoContent && status != http.StatusOK && status != http.StatusAccepted {
		t.Fatalf("the job was answered %d %s", status, answer)
	}
	checkPages(t, management, "management")
	if status, answer := (request{method: http.MethodDelete, path: job}).send(t, api); status >= http.StatusMultipleChoices {
		t.Errorf("the deletion was answered %d %s", status, answer)
	}
}

// checkPages sends each curl command of these pages for users, in their order, and compares the answer with the comment
// behind the command: a status, and perhaps fields of the body.
func checkPages(t *testing.T, api string, pages ...string) {
	for _, page := range pages {
		ran := 0
		for _, lines := range blocks(read(t, "docs/"+page+".md")) {
			for _, line := range lines {
				m := regexp.MustCompile(`^(curl .*)   # (\d{3}) ?({.*})?$`).FindStringSubmatch(line)
				if m == nil {
					t.Errorf("%s: the example has no status behind it: %s", page, line)
					continue
				}
				ran++
				status, answer := curl(t, m[1]).send(t, api)
				if strconv.Itoa(status) != m[2] || !hasFields(t, answer, m[3]) {
					t.Errorf("%s: %s\nanswered %d %s, want %s %s", page, line, status, answer, m[2], m[3])
				}
			}
		}
		if ran == 0 {
			t.Errorf("%s has no examples", page)
		}
	}
}

// hasFields reports whether the object has each of the fields, with its value.
func hasFields(t *testing.T, object, fields string) bool {
	t.Helper()
	if fields == "" {
		return true
	}
	var got, want map[string]any
	if json.Unmarshal([]byte(object), &got) != nil || json.Unmarshal([]byte(fields), &want) != nil {
		return false
	}
	maps.DeleteFunc(got, func(name string, _ any) bool { _, ok := want[name]; return !ok })
	return cmp.Equal(got, want)
}

// checkBatches sends each batch of the document, and holds that its jobs are accepted.
func checkBatches(t *testing.T, api, document string) {
	ran := 0
	for _, lines := range blocks(document) {
		for _, line := range lines {
			input, command, piped := strings.Cut(line, " |   ")
			if !piped {
				input, command = "", line
			}
			r := curl(t, strings.TrimSuffix(command, " --data-binary @-"))
			for _, m := range regexp.MustCompile(`'({[^']*)'`).FindAllStringSubmatch(input, -1) {
				r.body += m[1] + "\n"
			}
			ran++
			status, answer := r.send(t, api)
			if jobs := strings.Count(r.body, `"name"`); status != http.StatusOK || strings.Count(answer, `"status":204`) != jobs || jobs == 0 {
				t.Errorf("%s\nanswered %d %s, want 200 and that each job was accepted", line, status, answer)
			}
		}
	}
	if ran != 2 {
		t.Errorf("the document has %d commands, want one for each form", ran)
	}
}

// checkFields schedules a job for each example of the table of fields, and holds that data arrives.
func checkFields(t *testing.T, api, table string, received <-chan request) {
	templates := map[string]string{
		"dueTime":       `{"dueTime": %q}`,
		"schedule":      `{"schedule": %q}`,
		"repeats":       `{"schedule": "@daily", "repeats": %s}`,
		"ttl":           `{"schedule": "@daily", "ttl": %q}`,
		"data":          `{"dueTime": "0s", "data": %s}`,
		"overwrite":     `{"dueTime": "1h", "overwrite": %s}`,
		"failurePolicy": `{"dueTime": "1h", "failurePolicy": %s}`,
	}
	seen := make(map[string]bool)
	for _, row := range rows(table) {
		field := strings.Trim(row[0], "`")
		if templates[field] == "" || len(row) != 3 {
			t.Errorf("%q is no field that this test knows", row)
			continue
		}
		seen[field] = true
		for i, example := range code(row[2]) {
			job := request{method: http.MethodPost, path: fmt.Sprintf("/v1.0/jobs/%s%d", field, i), body: fmt.Sprintf(templates[field], example)}
			if status, answer := job.send(t, api); status != http.StatusNoContent {
				t.Errorf("%s %s: %d %s, want 204", job.path, job.body, status, answer)
			}
			switch field {
			case "overwrite":
				if status, answer := job.send(t, api); status != http.StatusNoContent {
					t.Errorf("%s %s again: %d %s, want 204", job.path, job.body, status, answer)
				}
			case "data":
				wantData(t, received, fmt.Sprintf("/job/%s%d", field, i), example)
			}
		}
	}
	for field := range templates {
		if !seen[field] {
			t.Errorf("the table does not show %s", field)
		}
	}
}

// wantData waits until the app has received the job at path, and compares its body.
func wantData(t *testing.T, received <-chan request, path, want string) {
	t.Helper()
	const patience = time.Minute // the machine may be busy
	deadline := time.After(patience)
	for {
		select {
		case got := <-received:
			if got.path != path {
				continue
			}
			if got.method != http.MethodPost || !sameJSON(t, got.body, want) {
				t.Errorf("the app got %s %s with the body %s, want POST and %s", got.method, path, got.body, want)
			}
			return
		case <-deadline:
			t.Fatalf("%s did not arrive within %v", path, patience)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var values [2]any
	for i, text := range []string{a, b} {
		if err := json.Unmarshal([]byte(text), &values[i]); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return cmp.Equal(values[0], values[1])
}
