package management_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/job"
	pb "carillon/internal/managementv1"
	"carillon/internal/when"
)

// The list, the job, its upcoming occurrences and the explanation of the same schedule show one
// instant, in six zones, while occurrences are handled, fail, and are tried again.
func TestSameInstantIsShownEverywhere(t *testing.T) {
	zones := []string{"", "TZ=UTC ", "TZ=Europe/Berlin ", "TZ=America/New_York ", "TZ=Asia/Kolkata ", "TZ=Australia/Lord_Howe ", "CRON_TZ=Pacific/Apia "}
	run(t, func(t *testing.T, w *world) {
		c := w.client("")
		schedules := map[job.Key]when.Words{}
		for i, zone := range zones {
			schedules[appKey("ns", "app", fmt.Sprintf("daily-%d", i))] = when.Words{Schedule: new(zone + "0 30 2 * * *")}
			schedules[reminderKey("ns", "1", fmt.Sprintf("rule-%d", i))] = when.Words{Schedule: new(zone + "15 */7 * * * MON-FRI"), Repeats: new(uint32(900))}
			schedules[appKey("ns", "app", fmt.Sprintf("first-%d", i))] = when.Words{Schedule: new(zone + "@hourly"), DueTime: new("90m"), TTL: new("700h")}
		}
		schedules[appKey("ns", "app", "interval")] = when.Words{Schedule: new("@every 1h0.5s")}
		schedules[appKey("ns", "app", "once")] = when.Words{DueTime: new("2000-04-02T08:00:00+02:00")}
		begin := time.Now()
		for k, words := range schedules {
			w.scheduleWords(k, words)
		}
		for round := range 6 {
			page, err := c.ListJobs(t.Context(), &pb.ListJobsRequest{Parent: "namespaces/ns", PageSize: 1000})
			if err != nil || len(page.GetJobs()) != len(schedules) {
				t.Fatalf("ListJobs returned %d jobs, %v, want %d", len(page.GetJobs()), err, len(schedules))
			}
			for _, listed := range page.GetJobs() {
				name := listed.GetName()
				got, err := c.GetJob(t.Context(), &pb.GetJobRequest{Name: name})
				if err != nil {
					t.Fatal(err)
				}
				upcoming, err := c.ListUpcomingOccurrences(t.Context(), &pb.ListUpcomingOccurrencesRequest{Name: name})
				if err != nil || len(upcoming.GetOccurrences()) == 0 {
					t.Fatalf("upcoming occurrences of %s: %v, %v", name, upcoming, err)
				}
				first := upcoming.GetOccurrences()[0]
				local, err := time.Parse(time.RFC3339Nano, first.GetLocalTime())
				want := got.GetOccurrenceTime().AsTime()
				if err != nil || !listed.GetOccurrenceTime().AsTime().Equal(want) || !first.GetOccurrenceTime().AsTime().Equal(want) || !local.Equal(want) {
					t.Errorf("round %d: %s is shown at %v, %v in the list, %v upcoming, local %s", round, name, want,
						listed.GetOccurrenceTime().AsTime(), first.GetOccurrenceTime().AsTime(), first.GetLocalTime())
				}
				if got.GetWords() == "" || listed.GetWords() != got.GetWords() || upcoming.GetWords() != got.GetWords() {
					t.Errorf("%s is %q in words, %q in the list, %q upcoming", name, got.GetWords(), listed.GetWords(), upcoming.GetWords())
				}
				if round > 0 {
					continue
				}
				spec := got.GetSpec()
				explained, err := c.ExplainSchedule(t.Context(), &pb.ExplainScheduleRequest{Schedule: spec.Schedule, DueTime: spec.DueTime, Ttl: spec.Ttl, Repeats: spec.Repeats})
				if err != nil || !explained.GetOccurrences()[0].GetOccurrenceTime().AsTime().Equal(want) || explained.GetWords() != got.GetWords() {
					t.Errorf("%s: as a schedule: %v, %v, want %q at %v", name, explained, err, got.GetWords(), want)
				}
			}
			w.app.mu.Lock()
			w.app.answer = []job.Outcome{job.Handled, job.Failed}[round%2]
			w.app.mu.Unlock()
			time.Sleep(27*time.Hour + time.Minute/3)
		}
		if time.Since(begin) < 6*27*time.Hour {
			t.Error("no time has passed: this proves nothing")
		}
	})
}

func TestUpcomingOccurrencesEndWithTheJob(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		k := reminderKey("ns", "1", "a:why")
		w.scheduleWords(k, when.Words{Schedule: new("@every 1h"), Repeats: new(uint32(5))})
		time.Sleep(2*time.Hour + time.Minute)
		for count, want := range map[string]int{"": 3, "?count=2": 2, "?count=1000": 3} {
			code, body := w.get("/v1/namespaces/ns/actorTypes/type/actors/1/reminders/a%3Awhy:upcoming" + count)
			all, _ := body["occurrences"].([]any)
			if code != http.StatusOK || len(all) != want {
				t.Errorf("GET :upcoming%s = %d, %v, want %d occurrences", count, code, body, want)
			}
		}
		if code, body := w.get("/v1/namespaces/ns/actorTypes/type/actors/1/reminders/a%3Awhy:upcoming?count=1001"); code != http.StatusBadRequest || fieldOfJSON(body) != "count" {
			t.Errorf("count=1001: %d, %v, want 400 that names count", code, body)
		}
		_, err := w.client("").ListUpcomingOccurrences(t.Context(), &pb.ListUpcomingOccurrencesRequest{Name: nameOf(appKey("ns", "app", "missing"))})
		if status.Code(err) != codes.NotFound {
			t.Errorf("a missing job: %v, want NotFound", err)
		}
	})
}

// A due time in the past surprises who requests it, and nobody when its job is looked at later.
func TestRunningJobHasNoWarningAboutItsFirstDueTime(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		k := appKey("ns", "app", "a")
		w.scheduleWords(k, when.Words{Schedule: new("TZ=Europe/Berlin 0 30 2 * * *"), DueTime: new("1m")})
		time.Sleep(time.Hour)
		got, err := w.client("").ListUpcomingOccurrences(t.Context(), &pb.ListUpcomingOccurrencesRequest{Name: nameOf(k)})
		if found := codesOf(got.GetWarnings()); err != nil || len(found) != 2 || found[0] != "clock-skips" || found[1] != "clock-repeats" {
			t.Errorf("warnings: %v, %v, want those about clock changes alone", found, err)
		}
	})
}
