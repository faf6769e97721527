package management_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"carillon/internal/job"
	pb "carillon/internal/managementv1"
	"carillon/internal/when"
)

// TestNoWaitIsNegative runs jobs of an app that is absent, hangs, fails or works. Whenever they are
// shown, a job that waits for its due time has one in the future, one that is due has one that has
// come, and nothing is so since a later time than now.
func TestNoWaitIsNegative(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		c := w.client("")
		r := rand.New(rand.NewPCG(3, 4))
		for i := range 5 {
			schedule := []string{"@every 10s", "@every 7m", "*/20 * * * * *", "TZ=Europe/Berlin 0 30 2 * * *", "@hourly"}[i]
			w.scheduleWords(appKey("ns", "app", fmt.Sprint(i)), when.Words{Schedule: &schedule})
			w.scheduleWords(reminderKey("ns", "1", fmt.Sprint(i)), when.Words{Schedule: &schedule, DueTime: new("90s")})
		}
		states := map[pb.Job_State]int{}
		for range 150 {
			w.app.change(r.IntN(4) == 0, []job.Outcome{job.Handled, job.Failed}[r.IntN(2)],
				[]time.Duration{0, time.Millisecond, time.Minute, time.Hour}[r.IntN(4)])
			time.Sleep(time.Duration(r.Int64N(int64([]time.Duration{time.Second, time.Minute, 40 * time.Minute}[r.IntN(3)]))))
			now := time.Now()
			page, err := c.ListJobs(t.Context(), &pb.ListJobsRequest{Parent: "namespaces/ns", PageSize: 100})
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range page.GetJobs() {
				due := j.GetDueTime().AsTime()
				switch j.GetState() {
				case pb.Job_SCHEDULED:
					if !due.After(now) {
						t.Errorf("%s is scheduled at %v, now is %v", j.GetName(), due, now)
					}
				case pb.Job_RUNNING, pb.Job_OVERDUE, pb.Job_UNKNOWN:
					if due.After(now) {
						t.Errorf("%s is %v and due at %v, now is %v", j.GetName(), j.GetState(), due, now)
					}
				default: // the next attempt of a job that is retrying may be due or not
				}
				if occurrence := j.GetOccurrenceTime().AsTime(); occurrence.After(due) {
					t.Errorf("%s: an attempt at the occurrence of %v is due at %v", j.GetName(), occurrence, due)
				}
				for _, condition := range j.GetConditions() {
					states[condition.GetType()]++
					isPast(t, j.GetName(), condition.GetSinceTime(), now)
				}
				if j.GetLastOccurrenceTime() != nil {
					isPast(t, j.GetName(), j.GetLastOccurrenceTime(), now)
				}
			}
			j := page.GetJobs()[r.IntN(len(page.GetJobs()))]
			why, err := c.ExplainJob(t.Context(), &pb.ExplainJobRequest{Name: j.GetName()})
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range why.GetGates() {
				isPast(t, j.GetName()+": "+g.GetType().String(), g.GetSinceTime(), now)
			}
			upcoming, err := c.ListUpcomingOccurrences(t.Context(), &pb.ListUpcomingOccurrencesRequest{Name: j.GetName()})
			if err != nil {
				t.Fatal(err)
			}
			var last time.Time
			for _, o := range upcoming.GetOccurrences() {
				at := o.GetOccurrenceTime().AsTime()
				if !at.After(last) || last.IsZero() && at.After(j.GetDueTime().AsTime()) {
					t.Errorf("%s: the occurrence of %v follows that of %v; it is due at %v", j.GetName(), at, last, j.GetDueTime().AsTime())
				}
				last = at
			}
		}
		for _, s := range []pb.Job_State{pb.Job_SCHEDULED, pb.Job_RUNNING, pb.Job_RETRYING, pb.Job_OVERDUE} {
			if states[s] == 0 {
				t.Errorf("no job was %v: this proves nothing", s)
			}
		}
	})
}

// isPast fails t if something is so since a later time than now.
func isPast(t *testing.T, what string, since *timestamppb.Timestamp, now time.Time) {
	t.Helper()
	if since != nil && since.AsTime().After(now) {
		t.Errorf("%s is so since %v, now is %v", what, since.AsTime(), now)
	}
}
