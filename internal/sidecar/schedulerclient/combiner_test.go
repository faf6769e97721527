package schedulerclient

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
)

// A recordedCall is what a test has seen of a call.
type recordedCall struct {
	names  []string
	shared bool
}

// A callRecorder is the scheduler of a combiner: each call takes the time that took returns.
type callRecorder struct {
	took func(call recordedCall) time.Duration

	mu    sync.Mutex
	calls []recordedCall
}

func (r *callRecorder) combiner() *combiner {
	return &combiner{
		alone: func(ctx context.Context, j *schedulerv1.ScheduleJobRequest) error {
			return r.call(ctx, false, []*schedulerv1.ScheduleJobRequest{j})[0]
		},
		together: func(ctx context.Context, all []*schedulerv1.ScheduleJobRequest) []error {
			return r.call(ctx, true, all)
		},
	}
}

// call refuses each job whose name begins with "bad", with its name.
func (r *callRecorder) call(ctx context.Context, shared bool, all []*schedulerv1.ScheduleJobRequest) []error {
	call := recordedCall{shared: shared}
	errs := make([]error, len(all))
	for i, j := range all {
		call.names = append(call.names, j.GetName())
		if strings.HasPrefix(j.GetName(), "bad") {
			errs[i] = errors.New(j.GetName())
		}
	}
	r.mu.Lock()
	r.calls = append(r.calls, call)
	r.mu.Unlock()
	select {
	case <-time.After(r.took(call)):
	case <-ctx.Done():
		for i := range errs {
			errs[i] = ctx.Err()
		}
	}
	return errs
}

func millisecond(recordedCall) time.Duration { return time.Millisecond }

// scheduleAtOnce schedules jobs at the same time, and returns their errors and how long each took.
func scheduleAtOnce(ctx context.Context, c *combiner, names []string) (errs []error, took []time.Duration) {
	errs, took = make([]error, len(names)), make([]time.Duration, len(names))
	var callers sync.WaitGroup
	for i, name := range names {
		callers.Go(func() {
			begin := time.Now()
			errs[i] = c.schedule(ctx, &schedulerv1.ScheduleJobRequest{Name: name})
			took[i] = time.Since(begin)
		})
		synctest.Wait()
	}
	callers.Wait()
	return errs, took
}

func numbered(prefix string, n int) (names []string) {
	for i := range n {
		names = append(names, prefix+strconv.Itoa(i))
	}
	return names
}

func TestJobsAtTheSameTimeShareCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &callRecorder{took: millisecond}
		names := numbered("job", 100)
		errs, _ := scheduleAtOnce(t.Context(), r.combiner(), names)
		for i, err := range errs {
			if err != nil {
				t.Errorf("%s: %v", names[i], err)
			}
		}
		if n := len(r.calls); n != maxSeparateCalls+1 {
			t.Errorf("100 jobs took %d calls, want %d alone and one with the rest", n, maxSeparateCalls)
		}
		var sent []string
		for _, call := range r.calls {
			sent = append(sent, call.names...)
		}
		slices.Sort(sent)
		slices.Sort(names)
		if !slices.Equal(sent, names) {
			t.Errorf("sent %q, want each job once", sent)
		}
	})
}

func TestFewJobsAreSentAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &callRecorder{took: millisecond}
		c := r.combiner()
		for range 10 {
			scheduleAtOnce(t.Context(), c, numbered("job", maxSeparateCalls))
		}
		for _, call := range r.calls {
			if call.shared {
				t.Errorf("%q shared a call, want each alone", call.names)
			}
		}
	})
}

func TestEachJobGetsItsOwnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &callRecorder{took: millisecond}
		var names []string
		for i := range 50 {
			names = append(names, "good"+strconv.Itoa(i), "bad"+strconv.Itoa(i))
		}
		errs, _ := scheduleAtOnce(t.Context(), r.combiner(), names)
		for i, name := range names {
			if strings.HasPrefix(name, "bad") && (errs[i] == nil || errs[i].Error() != name) {
				t.Errorf("%s: %v, want an error with its name", name, errs[i])
			} else if strings.HasPrefix(name, "good") && errs[i] != nil {
				t.Errorf("%s: %v, want none", name, errs[i])
			}
		}
	})
}

func TestStalledCallsDelayOtherJobsBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &callRecorder{took: func(call recordedCall) time.Duration {
			if strings.HasPrefix(call.names[0], "stalled") {
				return time.Hour
			}
			return time.Millisecond
		}}
		c := r.combiner()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, name := range numbered("stalled", maxSeparateCalls) {
			go func() { _ = c.schedule(ctx, &schedulerv1.ScheduleJobRequest{Name: name}) }()
		}
		synctest.Wait()
		errs, took := scheduleAtOnce(t.Context(), c, numbered("job", 100))
		for i, err := range errs {
			if err != nil || took[i] > maxSharingWait+time.Millisecond {
				t.Errorf("job%d: %v after %v, want success within %v", i, err, took[i], maxSharingWait+time.Millisecond)
			}
		}
	})
}

func TestCanceledJobIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &callRecorder{took: millisecond}
		c := r.combiner()
		for _, name := range numbered("job", maxSeparateCalls) {
			go func() { _ = c.schedule(t.Context(), &schedulerv1.ScheduleJobRequest{Name: name}) }()
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		canceled := make(chan error, 1)
		go func() { canceled <- c.schedule(ctx, &schedulerv1.ScheduleJobRequest{Name: "canceled"}) }()
		synctest.Wait()
		cancel()
		if err := <-canceled; err == nil {
			t.Error("the canceled job has succeeded")
		}
		time.Sleep(time.Second)
		for _, call := range r.calls {
			if slices.Contains(call.names, "canceled") {
				t.Errorf("sent %q, want it without the canceled job", call.names)
			}
		}
	})
}

func TestLargeJobIsSentAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &callRecorder{took: millisecond}
		c := r.combiner()
		large := strings.Repeat("x", maxSharedJob)
		scheduleAtOnce(t.Context(), c, append(numbered("job", maxSeparateCalls+1), large))
		if !slices.ContainsFunc(r.calls, func(call recordedCall) bool { return !call.shared && call.names[0] == large }) {
			t.Error("the large job shared a call")
		}
	})
}
