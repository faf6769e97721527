package management_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"carillon/internal/job"
	pb "carillon/internal/managementv1"
	"carillon/internal/when"
)

// codesOf returns the codes of warnings.
func codesOf(all []*pb.ScheduleWarning) (found []string) {
	for _, w := range all {
		found = append(found, w.GetCode())
	}
	return found
}

func TestScheduleIsExplained(t *testing.T) {
	from := timestamppb.New(time.Date(2027, 3, 27, 12, 0, 0, 0, time.UTC))
	run(t, func(t *testing.T, w *world) {
		c := w.client("")
		for text, e := range map[string]struct {
			request  *pb.ExplainScheduleRequest
			words    string
			local    string // the first occurrence
			count    int
			warnings []string
		}{
			"a calendar": {
				&pb.ExplainScheduleRequest{Schedule: new("TZ=Europe/Berlin 0 0 9 * * MON-FRI")},
				"every weekday at 09:00, Europe/Berlin", "2027-03-29T09:00:00+02:00", 10, nil,
			},
			"a clock change": {
				&pb.ExplainScheduleRequest{Schedule: new("TZ=Europe/Berlin 0 30 2 * * *"), Count: 3},
				"every day at 02:30, Europe/Berlin", "2027-03-29T02:30:00+02:00", 3,
				[]string{"clock-skips", "clock-repeats", "clock-skips"},
			},
			"an interval that ends": {
				&pb.ExplainScheduleRequest{Schedule: new("@every 5m"), Repeats: new(uint32(3)), Count: 1000},
				"every 5 min, 3 times", "2027-03-27T12:05:00Z", 3, nil,
			},
			"once": {&pb.ExplainScheduleRequest{DueTime: new("30s")}, "once at 2027-03-27 12:00:30 UTC", "2027-03-27T12:00:30Z", 1, nil},
			"the most": {
				&pb.ExplainScheduleRequest{Schedule: new("* * * * * *"), Count: 1000}, "every second, UTC", "2027-03-27T12:00:01Z", 1000, nil,
			},
			"a ttl that ends first": {
				&pb.ExplainScheduleRequest{Schedule: new("@every 1h"), Ttl: new("1m")}, "every 1 h, until 2027-03-27 12:01 UTC", "", 0, []string{"ends-before-first"},
			},
			"a ttl without meaning": {
				&pb.ExplainScheduleRequest{Schedule: new("@every 1h"), Ttl: new("P5")}, "every 1 h, until 2027-03-27 12:00 UTC", "", 0, []string{"text-without-meaning"},
			},
			"a ttl with an ignored end": {
				&pb.ExplainScheduleRequest{Schedule: new("@every 1s"), Ttl: new("PT5M3")}, "every 1 s, until 2027-03-27 12:05 UTC", "2027-03-27T12:00:01Z", 10, []string{"text-ignored"},
			},
			"a due time in the past": {
				&pb.ExplainScheduleRequest{DueTime: new("2027-03-01T00:00:00Z")}, "once at 2027-03-01 00:00 UTC", "2027-03-01T00:00:00Z", 1, []string{"due-in-past"},
			},
		} {
			e.request.FromTime = from
			got, err := c.ExplainSchedule(t.Context(), e.request)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			local := ""
			if all := got.GetOccurrences(); len(all) > 0 {
				local = all[0].GetLocalTime()
			}
			if got.GetWords() != e.words || local != e.local || len(got.GetOccurrences()) != e.count || !slices.Equal(codesOf(got.GetWarnings()), e.warnings) {
				t.Errorf("%s: %q, %d times from %q, with %v; want %q, %d times from %q, with %q", text,
					got.GetWords(), len(got.GetOccurrences()), local, got.GetWarnings(), e.words, e.count, e.local, e.warnings)
			}
		}
		got, err := c.ExplainSchedule(t.Context(), &pb.ExplainScheduleRequest{Schedule: new("TZ=Europe/Berlin 0 30 2 * * *"), FromTime: from})
		if notes := got.GetOccurrences()[0].GetNotes(); err != nil || len(notes) != 2 || notes[0].GetCode() != "clock-changed" || notes[1].GetCode() != "skipped" {
			t.Errorf("notes of the first occurrence after a clock change: %v, %v, want clock-changed and skipped", notes, err)
		}
	})
}

func TestScheduleIsExplainedAsOfNow(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		code, body := w.request(http.MethodPost, "/v1/schedules:explain", `{"schedule": "@every 1m", "dueTime": "1h", "count": 1}`)
		all, _ := body["occurrences"].([]any)
		want := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		if code != http.StatusOK || len(all) != 1 || all[0].(map[string]any)["occurrenceTime"] != want {
			t.Errorf("POST = %d, %v, want one occurrence at %s", code, body, want)
		}
	})
}

// The API refuses what the scheduler refuses, with the field and the help of the scheduler.
func TestBadScheduleIsRefusedWithHelp(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		c := w.client("")
		for field, all := range map[string][]*pb.ExplainScheduleRequest{
			"schedule": {{}, {Schedule: new("")}, {Schedule: new("*/5 * * * *")}, {Schedule: new("TZ=Europe/Berlim @daily")}, {Schedule: new("@every 1d")}},
			"dueTime":  {{DueTime: new("tomorrow")}, {DueTime: new("2027-01-01")}},
			"ttl":      {{DueTime: new("1h"), Ttl: new("2h")}, {Schedule: new("@daily"), Ttl: new("x")}, {Schedule: new("@daily"), DueTime: new("2h"), Ttl: new("2000-01-01T00:00:01Z")}},
			"repeats":  {{Schedule: new("@daily"), Repeats: new(uint32(0))}, {DueTime: new("1h"), Repeats: new(uint32(2))}},
			"count":    {{Schedule: new("@daily"), Count: 1001}, {Schedule: new("@daily"), Count: -1}},
			"fromTime": {{Schedule: new("@daily"), FromTime: &timestamppb.Timestamp{Seconds: 1 << 60}}},
			"parent":   {{Schedule: new("@daily"), Parent: "apps/a"}},
		} {
			for _, r := range all {
				_, err := c.ExplainSchedule(t.Context(), r)
				if status.Code(err) != codes.InvalidArgument || fieldOf(err) != field {
					t.Errorf("%v: %v, which names %q; want INVALID_ARGUMENT that names %s", r, err, fieldOf(err), field)
				}
				spec := job.Spec{Words: when.Words{Schedule: r.Schedule, DueTime: r.DueTime, TTL: r.Ttl, Repeats: r.Repeats}}
				if refused := spec.Resolve(time.Now()); refused != nil {
					if text := strings.TrimPrefix(refused.Error(), job.InvalidJob); !strings.Contains(err.Error(), text) {
						t.Errorf("%v: %v, want the text of the scheduler: %s", r, err, text)
					}
				}
			}
		}
	})
}
