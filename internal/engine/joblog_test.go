package engine_test

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/logtest"
)

// logged returns what an engine logs from that level on while use runs.
func logged(t *testing.T, level slog.Level, a *app, use func(e *engine.Engine)) []string {
	t.Helper()
	page := new(logtest.Page)
	s := open(t, vfs.NewMem())
	defer s.Close()
	log := slog.New(slog.NewTextHandler(page, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "component" || a.Key == "partitions" {
			return slog.Attr{}
		}
		return a
	}}))
	e, stop := runWith(t, s, a, engine.Config{Partitions: 1}, log)
	use(e)
	synctest.Wait()
	stop()
	return strings.Split(strings.TrimSpace(page.String()), "\n")
}

func TestStepsOfJobAreLoggedAtDebug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{answer: func(job.Trigger) (job.Outcome, time.Duration) { return job.Failed, time.Millisecond }}
		got := logged(t, slog.LevelDebug, a, func(e *engine.Engine) {
			spec := once(time.Now().Add(time.Second))
			spec.Policy = job.Policy{MaxRetries: new(uint32(1)), Interval: new(time.Second)}
			mustSchedule(t, e, key("app", "a"), spec)
			mustSchedule(t, e, key("app", "b"), once(time.Now().Add(time.Hour)))
			if err := e.Delete(t.Context(), key("app", "b")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		})
		at := func(d time.Duration) string {
			return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Format("2006-01-02T15:04:05.000Z")
		}
		name := "app=app namespace=ns job=a"
		line := func(message string, attempt int, rest string) string {
			return fmt.Sprintf(`level=DEBUG msg=%q %s due=%s attempt=%d%s`, message, name, at(time.Second), attempt, rest)
		}
		want := []string{
			`level=DEBUG msg="job scheduled" ` + name + ` due=` + at(time.Second),
			`level=DEBUG msg="job scheduled" app=app namespace=ns job=b` + ` due=` + at(time.Hour),
			`level=DEBUG msg="job deleted" app=app namespace=ns job=b`,
			line("trigger due", 0, ""), line("trigger delivered", 0, " late=0s"),
			line("trigger settled", 0, " outcome=failed next="+at(2*time.Second)),
			line("trigger due", 1, ""), line("trigger delivered", 1, " late=0s"),
			line("trigger settled", 1, " outcome=failed"),
			strings.Replace(line("a run was given up: its attempts failed, and its policy allows no more", 1, " outcome=failed"), "DEBUG", "WARN", 1),
		}
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("the log has\n%s\nwant\n%s", g, w)
		}
	})
}

func TestGivenUpRunsAreLoggedOncePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{answer: func(job.Trigger) (job.Outcome, time.Duration) { return job.Failed, 0 }}
		got := logged(t, slog.LevelInfo, a, func(e *engine.Engine) {
			for i := range 1000 {
				spec := once(time.Now().Add(10 * time.Second))
				spec.Policy = job.Policy{Drop: true}
				mustSchedule(t, e, key("app", strconv.Itoa(i)), spec)
			}
			time.Sleep(time.Minute)
		})
		if len(got) != 2 || !strings.Contains(got[0], "a run was given up") || strings.Contains(got[0], "count=") || !strings.Contains(got[1], " count=999 ") {
			t.Errorf("the log has %d lines, want 2, of which the second is about 999 runs:\n%s", len(got), strings.Join(got, "\n"))
		}
	})
}

// What is handled, or replaced before its last attempt fails, is not given up.
func TestRetriedRunIsNotLoggedAsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{answer: func(tr job.Trigger) (job.Outcome, time.Duration) {
			switch tr.Key.Name {
			case "replaced":
				return job.Failed, time.Minute
			case "retried":
				if tr.Attempt < 3 {
					return job.Failed, 0
				}
			}
			return job.Handled, 0
		}}
		got := logged(t, slog.LevelInfo, a, func(e *engine.Engine) {
			for _, name := range []string{"handled", "replaced", "retried"} {
				spec := once(time.Now())
				spec.Policy = job.DefaultPolicy()
				spec.Policy.MaxRetries = new(uint32(3))
				if name == "replaced" {
					spec.Policy = job.Policy{Drop: true}
				}
				mustSchedule(t, e, key("app", name), spec)
			}
			time.Sleep(time.Second)
			if err := e.Delete(t.Context(), key("app", "replaced")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		})
		if len(got) != 1 || got[0] != "" {
			t.Errorf("the log has\n%s", strings.Join(got, "\n"))
		}
	})
}

func TestReplacedAndLostTriggersAreLoggedAtDebug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := true
		a := &app{answer: func(tr job.Trigger) (job.Outcome, time.Duration) {
			if tr.Key.Name == "lost" && lost {
				lost = false
				return job.Lost, time.Second
			}
			return job.Handled, time.Second
		}}
		got := logged(t, slog.LevelDebug, a, func(e *engine.Engine) {
			mustSchedule(t, e, key("app", "lost"), once(time.Now()))
			time.Sleep(time.Minute)
			mustSchedule(t, e, key("app", "replaced"), once(time.Now()))
			synctest.Wait()
			if err := e.Delete(t.Context(), key("app", "replaced")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			never := every(time.Now().Add(time.Hour), time.Hour)
			never.Plan.Until = time.Now().Add(time.Minute)
			mustSchedule(t, e, key("app", "never"), never)
		})
		all := strings.Join(got, "\n")
		for _, line := range []string{
			`level=DEBUG msg="trigger settled" app=app namespace=ns job=lost due=2000-01-01T00:00:00.000Z attempt=0 outcome=lost next=2000-01-01T00:00:00.000Z`,
			`level=DEBUG msg="trigger settled" app=app namespace=ns job=lost due=2000-01-01T00:00:00.000Z attempt=0 outcome=handled` + "\n",
			`level=DEBUG msg="trigger settled" app=app namespace=ns job=replaced due=2000-01-01T00:01:00.000Z attempt=0 outcome=handled replaced=true` + "\n",
			`level=DEBUG msg="job not stored: it ends before it is due" app=app namespace=ns job=never`,
		} {
			if strings.Count(all, line) != 1 {
				t.Errorf("the log has no line, or more than one, with\n%s\nbut\n%s", line, all)
			}
		}
	})
}
