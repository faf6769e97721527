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

	"carillon/internal/engine"
	"carillon/internal/job"
)

// requests are n for jobs of the app that are due in an hour.
func requests(app string, n int) []job.Request {
	all := make([]job.Request, n)
	for i := range all {
		all[i] = job.Request{Key: key(app, fmt.Sprint(i)), Spec: once(time.Now().Add(time.Hour))}
	}
	return all
}

func TestScheduleAllReturnsResultsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		e, stop := run(t, db, &app{}, engine.Config{MaxJob: 1000})
		defer stop()
		mustSchedule(t, e, key("app", "1"), once(time.Now().Add(time.Hour)))
		all := requests("app", 5)
		all[2].Spec.Data = &job.Data{Value: []byte(strings.Repeat("x", 1000))}
		errs := e.ScheduleAll(t.Context(), all)
		for i, err := range errs {
			if _, large := errors.AsType[*job.TooLargeError](err); large != (i == 2) || errors.Is(err, job.ErrExists) != (i == 1) ||
				err != nil && i != 1 && i != 2 {
				t.Errorf("job %d: %v", i, err)
			}
		}
		if errs := e.ScheduleAll(t.Context(), nil); len(errs) != 0 {
			t.Errorf("nothing: %v", errs)
		}
		prefix := job.Prefix{Kind: job.App, Namespace: "ns", Parts: []string{"app"}}
		if got := names(t, e, prefix); len(got) != 4 {
			t.Errorf("%v are stored, want all but app//2", got)
		}
	})
}

func TestScheduleAllLastOfSameKeyWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		e, stop := run(t, db, &app{}, engine.Config{Inbox: 7})
		defer stop()
		const n = 100
		for group := range 3 {
			all := make([]job.Request, n)
			for i := range all {
				s := once(time.Now().Add(time.Hour))
				s.Data = &job.Data{Value: fmt.Append(nil, group*n+i)}
				all[i] = job.Request{Key: key("app", fmt.Sprint(i%2)), Spec: s, Overwrite: true}
			}
			if err := errors.Join(e.ScheduleAll(t.Context(), all)...); err != nil {
				t.Error(err)
			}
		}
		for i := range 2 {
			s, _, err := e.Get(t.Context(), key("app", fmt.Sprint(i)))
			if want := fmt.Sprint(3*n - 2 + i); err != nil || string(s.Data.Value) != want {
				t.Errorf("job %d is %s, want the last one, %s; %v", i, s.Data.Value, want, err)
			}
		}
	})
}

func TestScheduleAllWaitsUntilCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		s := slowStore{db, make(chan error, 1)}
		s.syncs <- nil
		e, stop := run(t, s, &app{}, engine.Config{Partitions: 1, Inbox: 4})
		defer stop()
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for i, err := range e.ScheduleAll(short, requests("impatient", 10)) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("job %d, without a disk: %v, want the deadline", i, err)
			}
		}
		close(s.syncs)
		if err := errors.Join(e.ScheduleAll(t.Context(), requests("patient", 10))...); err != nil {
			t.Error(err)
		}
	})
}

func TestScheduleAllReportsFailedCommitAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := open(t, vfs.NewMem())
		defer db.Close()
		s := slowStore{db, make(chan error, 10)}
		s.syncs <- nil
		e, stop := run(t, s, &app{}, engine.Config{Partitions: 1})
		s.syncs <- errors.New("input/output error")
		wantUnavailable := func(what string) {
			t.Helper()
			for i, err := range e.ScheduleAll(t.Context(), requests(what, 3)) {
				if !errors.Is(err, job.ErrUnavailable) {
					t.Errorf("%s, job %d: %v, want ErrUnavailable", what, i, err)
				}
			}
		}
		wantUnavailable("a commit that fails")
		close(s.syncs)
		stop()
		wantUnavailable("an engine that has ended")
	})
}
