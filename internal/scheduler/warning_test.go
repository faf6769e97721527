package scheduler_test

import (
	"log/slog"
	"strings"
	"testing"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/dispatch"
	"carillon/internal/job"
	"carillon/internal/logtest"
	"carillon/internal/scheduler"
)

// A stock daprd passes such values on, and does not pass our warning header back.
func TestMeaninglessDurationIsAcceptedAndLogged(t *testing.T) {
	page := new(logtest.Page)
	jobs := &memory{jobs: make(map[job.Key]job.Spec)}
	s := scheduler.New(scheduler.Config{}, jobs, dispatch.New(dispatch.Config{}), slog.New(slog.NewTextHandler(page, nil)))
	schedule := func(name, due string) {
		t.Helper()
		r := &schedulerv1.ScheduleJobRequest{Name: name, Metadata: jobMetadata("ns", "app"), Job: &schedulerv1.Job{DueTime: &due}}
		if _, err := s.ScheduleJob(t.Context(), r); err != nil {
			t.Errorf("due time %q: %v", due, err)
		}
	}
	schedule("plain", "PT30S")
	if text := page.String(); text != "" {
		t.Errorf("a plain job is logged: %s", text)
	}
	for _, text := range []string{"PT30s", "P1d", "PT", "P1", "PT1M30"} {
		before := len(page.String())
		schedule("a "+text, text)
		line := page.String()[before:]
		if !strings.Contains(line, "level=WARN") || !strings.Contains(line, `warning="dueTime \"`+text+`\"`) {
			t.Errorf("due time %q: the log has %s", text, line)
		}
	}
	for range 1000 {
		schedule("many", "PT30s")
		delete(jobs.jobs, job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}, Name: "many"})
	}
	if n := strings.Count(page.String(), "\n"); n > 15 {
		t.Errorf("the log has %d lines", n)
	}
}
