package management_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"carillon/internal/engine"
	"carillon/internal/job"
	pb "carillon/internal/managementv1"
	"carillon/internal/when"
)

// A plannedJob is a job of which the test knows all occurrences.
type plannedJob struct {
	key   job.Key
	words string
	plan  when.Plan
}

// occurrences returns how many occurrences of the job fall into each step, computed one by one.
func (j *plannedJob) occurrences(begin, from time.Time, step time.Duration, steps int) []uint32 {
	counts := make([]uint32, steps)
	var last time.Time
	for n := uint32(0); ; n++ {
		due, ok := j.plan.Next(n, last)
		if !ok || !due.Before(from.Add(time.Duration(steps)*step)) {
			return counts
		}
		if !due.Before(begin) {
			counts[due.Sub(from)/step]++
		}
		last = due
	}
}

// randomWords returns the times of a job that is valid.
func randomWords(r *rand.Rand) when.Words {
	pick := func(all ...string) *string { return &all[r.IntN(len(all))] }
	var w when.Words
	if r.IntN(3) > 0 {
		w.Schedule = pick("@every 7s", "@every 1m", "@every 90m", "@every 1h30m7s", "@hourly", "@daily", "*/5 * * * * *", "0 */7 * * * *",
			"TZ=Europe/Berlin 0 30 2 * * *", "15,45 1-20 * * * MON-FRI", "0 0 0 31 * *")
	}
	if w.Schedule == nil || r.IntN(3) == 0 {
		w.DueTime = pick("1s", "90s", "10m", "3h", "25h", "40h")
	}
	if w.Schedule != nil && r.IntN(3) == 0 {
		w.Repeats = new(uint32(1 + r.IntN(400)))
	}
	if r.IntN(4) == 0 {
		w.TTL = pick("2h", "26h", "90m")
	}
	return w
}

// TestForecastCountsAllOccurrences compares forecasts of random jobs with a naive count of what their
// schedules say, before and after some occurrences have run.
func TestForecastCountsAllOccurrences(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 3))
		run(t, func(t *testing.T, w *world) {
			time.Sleep(time.Duration(r.IntN(1e9)) + time.Duration(r.IntN(86400))*time.Second)
			var all []plannedJob
			for i := range 1 + r.IntN(60) {
				k := appKey(fmt.Sprint("n", r.IntN(2)), fmt.Sprint("a", r.IntN(5)), fmt.Sprint("j", i))
				words := randomWords(r)
				s := job.Spec{Words: words, AppID: k.Target.Name}
				if s.Resolve(time.Now()) != nil || !s.Plan.Until.IsZero() && s.Plan.Until.Before(s.Plan.First) {
					continue
				}
				if err := w.Schedule(t.Context(), k, s, true); err != nil {
					t.Fatal(err)
				}
				j := plannedJob{key: k, plan: s.Plan}
				if words.Schedule != nil {
					j.words = *words.Schedule
				}
				all = append(all, j)
			}
			for range 3 {
				compareForecast(t, r, w, all)
				time.Sleep(time.Duration(r.IntN(1800))*time.Second + time.Duration(r.IntN(1e9)))
			}
		})
	}
}

// compareForecast asks for a random forecast, and for what is behind one of its steps.
func compareForecast(t *testing.T, r *rand.Rand, w *world, all []plannedJob) {
	t.Helper()
	c := w.client("")
	now := time.Now().UTC()
	step := time.Duration(1+r.IntN(90)) * time.Minute
	span := time.Duration(1+r.IntN(86400)) * time.Second
	request := &pb.GetForecastRequest{Parent: "namespaces/-", Span: durationpb.New(span), Step: durationpb.New(step), AppCount: int32(1 + r.IntN(12))}
	from := now.Truncate(step)
	if r.IntN(2) == 0 {
		at := now.Add(time.Duration(r.IntN(90000)-3600) * time.Second)
		request.FromTime = timestamppb.New(at)
		from = at.Truncate(step)
	}
	begin, steps := from, int((span+step-1)/step)
	if begin.Before(now) {
		begin = now
	}
	f, err := c.GetForecast(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if !f.GetExact() || !f.GetFromTime().AsTime().Equal(from) || len(f.GetSteps()) != steps || !f.GetExactThroughTime().AsTime().Equal(f.GetEndTime().AsTime()) {
		t.Fatalf("exact %v, from %v with %d steps, want %v with %d", f.GetExact(), f.GetFromTime().AsTime(), len(f.GetSteps()), from, steps)
	}
	want, byApp := make([]uint32, steps), map[string][]uint32{}
	bySchedule := map[string]uint32{}
	busy := r.IntN(steps)
	for _, j := range all {
		app := "namespaces/" + j.key.Target.Namespace + "/apps/" + j.key.Target.Name
		for i, n := range j.occurrences(begin, from, step, steps) {
			if byApp[app] == nil && n > 0 {
				byApp[app] = make([]uint32, steps)
			}
			if n > 0 {
				want[i] += n
				byApp[app][i] += n
			}
			if i == busy && n > 0 {
				bySchedule[app+" "+j.words] += n
			}
		}
	}
	for i, s := range f.GetSteps() {
		if s.GetCount() != want[i] || !s.GetExact() || !s.GetStartTime().AsTime().Equal(from.Add(time.Duration(i)*step)) {
			t.Errorf("step %d of %v from %v: %v, want %d", i, step, from, s, want[i])
		}
	}
	rest := make([]uint32, steps)
	for app, counts := range byApp {
		i := slices.IndexFunc(f.GetApps(), func(a *pb.AppForecast) bool { return a.GetApp() == app })
		if i >= 0 && !slices.Equal(f.GetApps()[i].GetStepCounts(), counts) {
			t.Errorf("%s has %v, want %v", app, f.GetApps()[i].GetStepCounts(), counts)
		}
		for s, n := range counts {
			if i < 0 {
				rest[s] += n
			}
		}
	}
	if others := len(byApp) - len(f.GetApps()); len(f.GetApps()) > int(request.GetAppCount()) || others > 0 && !slices.Equal(f.GetOthers().GetStepCounts(), rest) ||
		int(f.GetOthers().GetAppCount()) != others {
		t.Errorf("%d apps and %v, want %d others with %v", len(f.GetApps()), f.GetOthers(), others, rest)
	}
	list, err := c.ListBusySchedules(t.Context(), &pb.ListBusySchedulesRequest{
		Parent: "namespaces/-", FromTime: f.GetSteps()[busy].GetStartTime(), Span: durationpb.New(step), PageSize: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.GetSchedules() {
		name := s.GetApp() + " " + s.GetSchedule()
		if s.GetCount() != bySchedule[name] {
			t.Errorf("%v has %d occurrences, want %d", s, s.GetCount(), bySchedule[name])
		}
		delete(bySchedule, name)
	}
	if len(bySchedule) > 0 || !list.GetExact() {
		t.Errorf("the list lacks %v", bySchedule)
	}
}

// TestForecastBeyondItsWorkIsAFloor asks for more occurrences than one call may compute.
func TestForecastBeyondItsWorkIsAFloor(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		const n = 16
		for i := range n {
			w.scheduleWords(appKey("ns", "app", fmt.Sprint(i)), when.Words{Schedule: new("@every 1s")})
		}
		time.Sleep(time.Millisecond)
		f, err := w.client("").GetForecast(t.Context(), &pb.GetForecastRequest{Parent: "namespaces/ns", Span: durationpb.New(24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		exact := 0
		for i, s := range f.GetSteps() {
			if s.GetExact() {
				exact++
			}
			if s.GetExact() && i > 0 && s.GetCount() != 60*n || s.GetCount() > 60*n || s.GetExact() != s.GetStartTime().AsTime().Before(f.GetExactThroughTime().AsTime()) {
				t.Errorf("step %d: %v", i, s)
			}
		}
		if f.GetExact() || exact < 1000 || exact == len(f.GetSteps()) {
			t.Errorf("exact: %v, in %d of %d steps", f.GetExact(), exact, len(f.GetSteps()))
		}
	})
}

func TestForecastOfOverdueJobsHasWhatFollows(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.app.absent = true
		w.scheduleWords(appKey("ns", "app", "a"), when.Words{Schedule: new("@every 1m")})
		w.scheduleWords(appKey("ns", "app", "b"), when.Words{DueTime: new("10s")})
		time.Sleep(90*time.Hour + time.Millisecond)
		code, body := w.get("/v1/namespaces/ns/apps/app/forecast?span=600s&step=120s")
		if code != http.StatusOK || fmt.Sprint(body["apps"]) != "[map[app:namespaces/ns/apps/app appCount:1 count:9 stepCounts:[1 2 2 2 2]]]" {
			t.Errorf("%d, %v", code, body)
		}
	})
}

func TestWrongForecastNamesTheField(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		for query, field := range map[string]string{
			"span=0s": "span", "span=90000s": "span", "span=-5s": "span", "step=30s": "step", "step=90s": "step", "step=x": "step",
			"fromTime=tomorrow": "fromTime", "appCount=101": "appCount", "pageSize=1": "pageSize",
		} {
			code, body := w.get("/v1/namespaces/ns/forecast?" + query)
			if code != http.StatusBadRequest || !strings.Contains(fmt.Sprint(body), "field:"+field) {
				t.Errorf("%s: %d, %v, want 400 about %s", query, code, body, field)
			}
		}
	})
}

// TestForecastHasOnlyWhatTheTokenCovers uses a reminder that belongs to another app.
func TestForecastHasOnlyWhatTheTokenCovers(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		for _, n := range []string{"red", "blue"} {
			w.schedule(appKey(n, "app", n+"-job"), time.Now().Add(30*time.Second))
			w.schedule(reminderKey(n, "1", n+"-reminder"), time.Now().Add(30*time.Second))
		}
		c := w.client("token-of-the-red-ones")
		for _, parent := range []string{"namespaces/-", "namespaces/blue", "namespaces/-/apps/-"} {
			_, err := c.GetForecast(t.Context(), &pb.GetForecastRequest{Parent: parent})
			_, busy := c.ListBusySchedules(t.Context(), &pb.ListBusySchedulesRequest{Parent: parent})
			_, attention := c.GetAttention(t.Context(), &pb.GetAttentionRequest{Parent: parent})
			if status.Code(err) != codes.PermissionDenied || status.Code(busy) != codes.PermissionDenied || status.Code(attention) != codes.PermissionDenied {
				t.Errorf("%s: %v, %v, %v, want PermissionDenied", parent, err, busy, attention)
			}
		}
		f, err := c.GetForecast(t.Context(), &pb.GetForecastRequest{Parent: "namespaces/red"})
		if err != nil || strings.Contains(f.String(), "blue") || len(f.GetApps()) != 2 {
			t.Errorf("%v, %v, want the apps of red", f, err)
		}
		w.receivers = engine.ReceiversAbsent
		w.app.mu.Lock()
		w.app.absent = true
		w.app.mu.Unlock()
		time.Sleep(time.Minute)
		a, err := c.GetAttention(t.Context(), &pb.GetAttentionRequest{})
		if err != nil || strings.Contains(a.String(), "blue") || len(a.GetJobs()) != 2 {
			t.Errorf("%v, %v, want two problems of red", a, err)
		}
	}, "red token-of-the-red-ones viewer namespaces=red")
}
