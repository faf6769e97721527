package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store"
)

func TestYearOfDailyJobsIsNeverLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, a, stop := start(t)
		defer stop()
		first := time.Now().Add(time.Hour)
		for i := range 20 {
			mustSchedule(t, e, key("app", fmt.Sprint("daily", i)), every(first, 24*time.Hour))
		}
		time.Sleep(365 * 24 * time.Hour)
		synctest.Wait()
		if got := len(a.triggers(t)); got != 7300 || a.late != 0 {
			t.Errorf("got %d triggers, the latest %v late; want 7300, on time", got, a.late)
		}
	})
}

func TestMissedOccurrencesAreCaughtUpInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		s, a := open(t, disk), &app{}
		e, stop := run(t, s, a, engine.Config{})
		first := time.Now().Add(time.Second)
		mustSchedule(t, e, key("app", "tick"), every(first, time.Second))
		time.Sleep(2500 * time.Millisecond)
		stop()
		time.Sleep(10 * time.Second)
		_, stop = run(t, s, a, engine.Config{})
		synctest.Wait()
		stop()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		var got, want []time.Duration
		for _, tr := range a.triggers(t) {
			got = append(got, tr.Due.Sub(first))
		}
		for i := range 12 {
			want = append(want, time.Duration(i)*time.Second)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("occurrences (-want +got):\n%s", diff)
		}
	})
}

func TestDeliveryBeforeStopIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, vfs.NewMem())
		defer s.Close()
		release := make(chan func(job.Outcome), 1)
		e, stop := run(t, s, deliverer(func(_ job.Trigger, done func(job.Outcome)) { release <- done }), engine.Config{})
		mustSchedule(t, e, key("app", "a"), once(time.Now()))
		done := <-release
		done(job.Handled)
		stop()
		a := &app{}
		_, stop = run(t, s, a, engine.Config{})
		time.Sleep(time.Hour)
		stop()
		if got := a.triggers(t); len(got) != 0 {
			t.Errorf("delivered again: %v", got)
		}
	})
}

type deliverer func(job.Trigger, func(job.Outcome))

func (d deliverer) Deliver(t job.Trigger, done func(job.Outcome), _ func(int)) bool {
	d(t, done)
	return true
}

func (deliverer) Withdraw(job.Target, int) {}

// A full app has no room for anything, ever.
type fullApp struct{ *app }

func (f fullApp) Deliver(t job.Trigger, done func(job.Outcome), room func(int)) bool {
	if t.Key.Target.Name == "full" {
		return false
	}
	return f.app.Deliver(t, done, room)
}

func TestBusyAppDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &app{}
		s := open(t, vfs.NewMem())
		defer s.Close()
		e, stop := run(t, s, fullApp{a}, engine.Config{})
		defer stop()
		now := time.Now()
		for i := range 5000 {
			mustSchedule(t, e, key("full", fmt.Sprint(i)), once(now))
		}
		mustSchedule(t, e, key("other", "tick"), every(now.Add(time.Second), time.Second))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := len(a.triggers(t)); got != 60 || a.late != 0 {
			t.Errorf("the other app got %d triggers, the latest %v late; want 60, on time", got, a.late)
		}
	})
}

func TestGetReturnsScheduledSpec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, stop := start(t)
		defer stop()
		want := every(time.Now().Add(time.Hour), time.Second)
		want.Words.Repeats, want.Plan.Repeats = new(uint32(7)), 7
		want.Words.TTL, want.Plan.Until = new("24h"), want.Plan.First.Add(24*time.Hour)
		want.Data = &job.Data{TypeURL: "", Value: []byte{0, 1, 255}}
		want.AppID = "app"
		k := key("app", "a||b@c é")
		mustSchedule(t, e, k, want)
		got, _, err := e.Get(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		if got.Plan.Rule.IsZero() {
			t.Error("the rule is gone")
		}
		want.Plan.Rule = got.Plan.Rule
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(want.Plan.Rule)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestErrorsOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, stop := start(t)
		k := key("app", "a")
		mustSchedule(t, e, k, once(time.Now().Add(time.Hour)))
		err := e.Schedule(t.Context(), k, once(time.Now()), false)
		if want := "job already exists: 'app||ns||app||a'"; !errors.Is(err, job.ErrExists) || err.Error() != want {
			t.Errorf("scheduling twice: %v, want %s", err, want)
		}
		_, _, err = e.Get(t.Context(), key("app", "b"))
		if want := "job not found: b"; !errors.Is(err, job.ErrNotFound) || err.Error() != want {
			t.Errorf("getting what is not there: %v, want %s", err, want)
		}
		big := once(time.Now())
		big.Data = &job.Data{Value: make([]byte, 2<<20)}
		var tooLarge *job.TooLargeError
		if err = e.Schedule(t.Context(), k, big, true); !errors.As(err, &tooLarge) || tooLarge.Limit != 2<<20 {
			t.Errorf("scheduling 2 MiB: %v", err)
		}
		big.Data.Value = make([]byte, 2_000_000)
		if err = e.Schedule(t.Context(), k, big, true); err != nil {
			t.Errorf("scheduling 2 MB: %v", err)
		}
		stop()
		if err = e.Delete(t.Context(), k); !errors.Is(err, job.ErrUnavailable) {
			t.Errorf("deleting after the end: %v, want ErrUnavailable", err)
		}
	})
}

func TestStoreWithOtherPartitionsIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, vfs.NewMem())
		defer s.Close()
		_, stop := run(t, s, &app{}, engine.Config{Partitions: 8})
		synctest.Wait()
		stop()
		err := engine.New(engine.Config{Partitions: 16}, s, &app{}, logTo(t)).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "made with 8 partitions") {
			t.Errorf("Run = %v, want a refusal that names the partitions", err)
		}
	})
}

// A slowStore lets a commit become visible, and then waits for permission to finish it, as a slow sync does.
type slowStore struct {
	store.Store
	syncs chan error
}

func (s slowStore) Commit(ctx context.Context, b *store.Batch) error {
	if err := s.Store.Commit(ctx, b); err != nil {
		return err
	}
	return <-s.syncs
}

func TestReadReturnsOnlyDurableJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		s := slowStore{db, make(chan error, 1)}
		s.syncs <- nil // for the format
		e, stop := run(t, s, &app{}, engine.Config{})
		synctest.Wait()
		k, answered := key("app", "a"), make(chan error, 2)
		go func() { answered <- e.Schedule(t.Context(), k, once(time.Now().Add(time.Hour)), false) }()
		synctest.Wait()
		go func() { _, _, err := e.Get(t.Context(), k); answered <- err }()
		synctest.Wait()
		if len(answered) > 0 {
			t.Fatalf("answered before the sync: %v", <-answered)
		}
		s.syncs <- nil
		for range 2 {
			if err := <-answered; err != nil {
				t.Error(err)
			}
		}
		stop()
	})
}

func TestFullInboxMakesCallersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		s := slowStore{db, make(chan error, 1)}
		s.syncs <- nil
		e, stop := run(t, s, &app{}, engine.Config{Partitions: 1, Inbox: 4})
		synctest.Wait()
		answered := make(chan error, 100)
		for i := range 20 {
			go func() {
				answered <- e.Schedule(t.Context(), key("app", fmt.Sprint(i)), once(time.Now().Add(time.Hour)), false)
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := e.Schedule(ctx, key("app", "impatient"), once(time.Now()), false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Schedule with a full inbox = %v, want its deadline", err)
		}
		close(s.syncs)
		for range 20 {
			if err := <-answered; err != nil {
				t.Error(err)
			}
		}
		stop()
	})
}

func TestPartitionRecoversFromFailedCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, a := open(t, vfs.NewMem()), &app{}
		defer db.Close()
		s := slowStore{db, make(chan error, 10)}
		s.syncs <- nil
		e, stop := run(t, s, a, engine.Config{})
		s.syncs <- errors.New("input/output error")
		k := key("app", "a")
		if err := e.Schedule(t.Context(), k, once(time.Now().Add(time.Hour)), false); !errors.Is(err, job.ErrUnavailable) {
			t.Errorf("Schedule = %v, want ErrUnavailable", err)
		}
		close(s.syncs)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		stop()
		if got := len(a.triggers(t)); got != 1 || a.late != 0 {
			t.Errorf("got %d triggers, the latest %v late; the job was stored all the same", got, a.late)
		}
	})
}

func TestRunWithEndedContextIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, vfs.NewMem())
		defer s.Close()
		e := engine.New(engine.Config{}, s, &app{}, logTo(t))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.Run(ctx); err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if err := e.Delete(t.Context(), key("app", "a")); !errors.Is(err, job.ErrUnavailable) {
			t.Errorf("Delete afterwards = %v, want ErrUnavailable", err)
		}
	})
}
