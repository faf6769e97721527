package jobcmd

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/command"
	"carillon/internal/engine"
	"carillon/internal/exit"
	"carillon/internal/job"
	"carillon/internal/management"
	"carillon/internal/store/pebblestore"
	"carillon/internal/terminal/terminaltest"
	"carillon/internal/when"
)

// noApp is an app without a sidecar: it takes no trigger.
type noApp struct{}

func (noApp) Deliver(job.Trigger, func(job.Outcome), func(int)) bool { return false }
func (noApp) Withdraw(job.Target, int)                               {}

// serveJobs runs an engine and its management API, and returns its address.
func serveJobs(t *testing.T) (e *engine.Engine, address string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := pebblestore.Open(pebblestore.Config{Dir: "store", FS: vfs.NewMem(), NoTickers: true}, log)
	if err != nil {
		t.Fatal(err)
	}
	e = engine.New(engine.Config{}, st, noApp{}, log)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	progress := func(ctx context.Context, keys []job.Key) ([]engine.DueProgress, []string, error) {
		all, err := e.Progress(ctx, keys)
		return all, nil, err
	}
	server := management.New(management.Config{Jobs: e, Progress: progress}, log)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{e.Run, func(ctx context.Context) error { return server.Run(ctx, l) }} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, l.Addr().String()
}

// instants are those that displays show, in the order of the display.
func instants(text string) []string {
	return regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`).FindAllString(text, -1)
}

// column returns the first value of a column of CSV.
func column(t *testing.T, text, header string) string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%q: %v", text, err)
	}
	for i, name := range rows[0] {
		if name == header {
			return rows[1][i]
		}
	}
	t.Fatalf("%q has no column %s", text, header)
	return ""
}

// field returns a field of a JSON object, or of the first element of a list in it.
func field(t *testing.T, text string, path ...string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for _, name := range path {
		if list, ok := value.([]any); ok {
			value = list[0]
		}
		value = value.(map[string]any)[name]
	}
	return fmt.Sprint(value)
}

// TestSameInstantInEveryDisplay shows when a job is due next: by each command in each format, and
// by the API over HTTP. It does so for users in six zones, of jobs with schedules in six zones.
func TestSameInstantInEveryDisplay(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"}
	e, address := serveJobs(t)
	ask := func(path, body string) string {
		t.Helper()
		method := http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+"/v1/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v: %s", path, resp.Status, err, text)
		}
		return string(text)
	}
	for i, zone := range zones {
		name, schedule := fmt.Sprintf("in-%d", i), "TZ="+zone+" 0 30 2 * * *"
		k := job.Key{Target: job.Target{Kind: job.App, Namespace: "default", Name: "a"}, Name: name}
		spec := job.Spec{Words: when.Words{Schedule: &schedule}, Policy: job.DefaultPolicy(), AppID: "a"}
		if err := spec.Resolve(time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := e.Schedule(t.Context(), k, spec, false); err != nil {
			t.Fatal(err)
		}
		views, err := e.Views(t.Context(), []job.Key{k})
		if err != nil {
			t.Fatal(err)
		}
		want := views[0].Due
		resource := "namespaces/default/apps/a/jobs/" + name
		shown := map[string]string{
			"HTTP get":      field(t, ask(resource, ""), "dueTime"),
			"HTTP list":     field(t, ask("namespaces/default/jobs?filter="+name, ""), "jobs", "dueTime"),
			"HTTP upcoming": field(t, ask(resource+":upcoming", ""), "occurrences", "occurrenceTime"),
			"HTTP explain":  field(t, ask("schedules:explain", `{"schedule": "`+schedule+`"}`), "occurrences", "occurrenceTime"),
			"HTTP why":      instants(ask(resource+":why", ""))[0],
		}
		for display, text := range shown {
			if got, err := time.Parse(time.RFC3339Nano, text); err != nil || !got.Equal(want) {
				t.Errorf("%s: %s shows %s, want %v", schedule, display, text, want)
			}
		}
		for _, of := range zones {
			user, err := time.LoadLocation(of)
			if err != nil {
				t.Fatal(err)
			}
			show := func(line ...string) string {
				std, out, errs := terminaltest.Streams()
				std.Zone = user
				std.Env = func(name string) (string, bool) { return "http://" + address, name == "CARILLON_SERVER" }
				if code, text := exit.Of(command.Run(t.Context(), newRoot(std, out), line)); code != exit.OK {
					t.Fatalf("%q: %s%s", line, errs, text)
				}
				return out.String()
			}
			list, one, explain := []string{"job", "list", "--prefix", name, "-o"}, "app/a/"+name, []string{"schedule", "explain", schedule, "-o"}
			local, utc := want.In(user).Format(time.RFC3339), want.UTC().Format(time.RFC3339)
			for display, c := range map[string][2]string{
				"list":          {instants(show(append(list, "table")...))[0], local},
				"list wide":     {instants(show(append(list, "wide")...))[0], utc},
				"list csv":      {column(t, show(append(list, "csv")...), "NEXT"), utc},
				"list json":     {field(t, show(append(list, "json")...), "dueTime"), utc},
				"get":           {instants(show("job", "get", one))[0], local},
				"get json":      {field(t, show("job", "get", one, "-o", "json"), "dueTime"), utc},
				"why":           {instants(show("job", "why", one))[0], local},
				"why wide":      {instants(show("job", "why", one, "-o", "wide"))[0], utc},
				"upcoming":      {instants(show("job", "upcoming", one))[0], local},
				"upcoming wide": {instants(show("job", "upcoming", one, "-o", "wide"))[0], utc},
				"upcoming csv":  {column(t, show("job", "upcoming", one, "-o", "csv"), "OCCURRENCE"), utc},
				"upcoming json": {field(t, show("job", "upcoming", one, "-o", "json"), "occurrences", "occurrenceTime"), utc},
				"explain":       {instants(show(append(explain, "table")...))[0], local},
				"explain csv":   {column(t, show(append(explain, "csv")...), "OCCURRENCE"), utc},
				"explain json":  {field(t, show(append(explain, "json")...), "occurrences", "occurrenceTime"), utc},
			} {
				if c[0] != c[1] {
					t.Errorf("%s: %s shows %s in %s, want %s", schedule, display, c[0], of, c[1])
				}
			}
			if own := column(t, show("job", "upcoming", one, "-o", "csv"), "LOCAL TIME"); !sameInstant(own, want) || !strings.Contains(own, "T02:30:00") {
				t.Errorf("%s: its own clock shows %s, want 02:30 at %v", schedule, own, want)
			}
		}
	}
}

// sameInstant reports whether text is that instant.
func sameInstant(text string, want time.Time) bool {
	got, err := time.Parse(time.RFC3339Nano, text)
	return err == nil && got.Equal(want)
}
