package sidecar_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/sidecar"
)

func TestCallsFailAtOnceWithoutScheduler(t *testing.T) {
	for _, addresses := range [][]string{{}, {""}, {"   "}, {`''`}, {`'   '`}, {`""`}, {`"  "`}} {
		t.Run(fmt.Sprintf("%q", addresses), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &fixture{network: new(network), t: t}
				f.run(sidecar.Config{Schedulers: addresses})
				began := time.Now()
				f.wantError("POST", f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`), 500, errorBody(
					"DAPR_SCHEDULER_SCHEDULE_JOB", "failed to schedule job due to: scheduler clients are disabled", both))
				f.wantError("GET", f.send("GET", "/v1.0/jobs/a", ""), 500, errorBody(
					"DAPR_SCHEDULER_GET_JOB", "failed to get job due to: scheduler clients are disabled", both))
				_, err := runtimev1.NewDaprClient(f.grpc()).DeleteJob(t.Context(), &runtimev1.DeleteJobRequest{Name: "a"})
				wantStatus(t, "DeleteJob", err, codes.Internal, "failed to delete job due to: scheduler clients are disabled",
					"DAPR_SCHEDULER_DELETE_JOB", map[string]string{"appID": "sub", "namespace": "default"})
				if d := time.Since(began); d != 0 {
					t.Errorf("it took %v", d)
				}
				if got := f.send("GET", "/v1.0/healthz", ""); got.code != 204 {
					t.Errorf("healthz = %d %s, want 204", got.code, got.body)
				}
			})
		})
	}
}

func TestCallsWaitForAbsentScheduler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t}
		f.run(sidecar.Config{Schedulers: []string{schedulerAddress}})
		began := time.Now()
		const why = "no scheduler could be reached at scheduler:50006 within 5s: start it, or correct --scheduler-host-address"
		got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`)
		f.wantError("POST", got, 503, errorBody("DAPR_SCHEDULER_SCHEDULE_JOB", "failed to schedule job due to: "+why, both))
		if d := time.Since(began); d != 5*time.Second || got.header.Get("Retry-After") != "1" {
			t.Errorf("POST failed after %v, to be tried again after %q s, want 5s and 1", d, got.header.Get("Retry-After"))
		}
		f.wantError("GET", f.send("GET", "/v1.0/jobs/a", ""), 503, errorBody("DAPR_SCHEDULER_GET_JOB", "failed to get job due to: "+why, both))
		_, err := runtimev1.NewDaprClient(f.grpc()).DeleteJob(t.Context(), &runtimev1.DeleteJobRequest{Name: "a"})
		wantStatus(t, "DeleteJob", err, codes.Unavailable, "failed to delete job due to: "+why,
			"DAPR_SCHEDULER_DELETE_JOB", map[string]string{"appID": "sub", "namespace": "default"})
		f.wantError("healthz", f.send("GET", "/v1.0/healthz", ""), 500,
			errorBody("ERR_HEALTH_NOT_READY", "dapr is not ready: [scheduler-watch-hosts]", nil))
		if got := f.send("GET", "/v1.0/healthz/outbound", ""); got.code != 204 {
			t.Errorf("outbound = %d, want 204", got.code)
		}
		began = time.Now()
		time.AfterFunc(3*time.Second, func() {
			f.scheduler = newScheduler(t, f.network, schedulerAddress, schedulerAddress)
		})
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`); got.code != 204 {
			t.Errorf("POST while the scheduler starts = %d %s, want 204", got.code, got.body)
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("the scheduler was found %v after it started", d-3*time.Second)
		}
		synctest.Wait()
		if got := f.send("GET", "/v1.0/healthz", ""); got.code != 204 {
			t.Errorf("healthz = %d %s, want 204", got.code, got.body)
		}
		if open, _ := f.scheduler.connected(); len(open) != 3 {
			t.Errorf("%d streams are open, want 3", len(open))
		}
	})
}

func TestCallsSurviveSchedulerRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		f.scheduler.die()
		began := time.Now()
		got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`)
		if d := time.Since(began); got.code != 503 || d != 5*time.Second {
			t.Errorf("POST = %d %s after %v, want 503 after 5s", got.code, got.body, d)
		}
		if got := f.send("GET", "/v1.0/jobs/a", ""); got.code != 503 {
			t.Errorf("GET = %d %s, want 503", got.code, got.body)
		}
		if got := f.send("GET", "/v1.0/healthz", ""); got.code != 204 {
			t.Errorf("healthz = %d, want 204: what was ready stays ready", got.code)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began = time.Now()
		_, err := runtimev1.NewDaprClient(f.grpc()).ScheduleJob(ctx, &runtimev1.ScheduleJobRequest{
			Job: &runtimev1.Job{Name: "a", DueTime: new("1s")},
		})
		if d := time.Since(began); status.Code(err) != codes.DeadlineExceeded || d != 2*time.Second {
			t.Errorf("ScheduleJob with a deadline of 2s = %v after %v", err, d)
		}
		began = time.Now()
		time.AfterFunc(time.Second, f.scheduler.serve)
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`); got.code != 204 {
			t.Errorf("POST while the scheduler restarts = %d %s, want 204", got.code, got.body)
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("POST took %v, want a few seconds more than the restart's 1", d)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if open, _ := f.scheduler.connected(); len(open) != 3 {
			t.Errorf("%d streams are open after the restart, want 3", len(open))
		}
	})
}

// cluster starts a sidecar of the app "sub" and schedulers a, b and c. Scheduler a publishes the
// list.
func cluster(t *testing.T) (f *fixture, b, c *scheduler) {
	t.Helper()
	f = &fixture{network: new(network), t: t}
	f.scheduler = newScheduler(t, f.network, "a:1", "a:1", "b:1", "c:1", "b:1")
	b, c = newScheduler(t, f.network, "b:1"), newScheduler(t, f.network, "c:1")
	f.run(sidecar.Config{Schedulers: []string{"a:1"}})
	return f, b, c
}

func TestHostListChangeKeepsOtherStreams(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, b, c := cluster(t)
		want := func(what string, wantA, wantB, wantC, everA, everB, everC int) {
			t.Helper()
			synctest.Wait()
			for i, s := range []*scheduler{f.scheduler, b, c} {
				open, ever := s.connected()
				if n := []int{wantA, wantB, wantC}[i]; len(open) != n {
					t.Errorf("%s: %d streams to %s, want %d", what, len(open), s.address, n)
				}
				if n := []int{everA, everB, everC}[i]; ever != n {
					t.Errorf("%s: %d streams were opened to %s, want %d", what, ever, s.address, n)
				}
			}
		}
		want("three", 3, 3, 3, 3, 3, 3)
		f.scheduler.publish("c:1", "b:1", "a:1")
		want("the same again", 3, 3, 3, 3, 3, 3)
		f.scheduler.publish("a:1", "c:1")
		want("one less", 3, 0, 3, 3, 3, 3)
		f.scheduler.publish("c:1", "b:1", "a:1")
		want("back", 3, 3, 3, 3, 6, 3)
		f.scheduler.publish()
		want("none", 0, 0, 0, 3, 6, 3)
		f.wantError("POST", f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`), 500, errorBody(
			"DAPR_SCHEDULER_SCHEDULE_JOB", "failed to schedule job due to: no scheduler client initialized", both))
	})
}

func TestCallsRotateOverSchedulers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, b, c := cluster(t)
		for i, s := range []*scheduler{b, c, f.scheduler, b} {
			f.send("DELETE", "/v1.0/jobs/a", "")
			for _, o := range []*scheduler{f.scheduler, b, c} {
				if got := len(o.took()); (got == 1) != (o == s) {
					t.Errorf("call %d: %s got %d calls, and it was the turn of %s", i+1, o.address, got, s.address)
				}
			}
		}
	})
}

func TestCallsSkipDownScheduler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, b, c := cluster(t)
		for range 3 {
			f.send("DELETE", "/v1.0/jobs/a", "")
		}
		b.die()
		time.Sleep(time.Millisecond) // a call that picked it waits until it leaves the list
		synctest.Wait()
		for i := range 6 {
			began := time.Now()
			got := f.send("POST", "/v1.0/jobs/a"+fmt.Sprint(i), `{"dueTime":"1h"}`)
			if d := time.Since(began); got.code != 204 || d != 0 {
				t.Errorf("call %d: POST = %d %s after %v, want 204 at once", i+1, got.code, got.body, d)
			}
		}
		if a, c := len(f.scheduler.took()), len(c.took()); a+c != 2+6 || a < 2 || c < 2 {
			t.Errorf("the schedulers that are up got %d and %d calls, want 8 shared", a, c)
		}
		b.serve()
		time.Sleep(10 * time.Second)
		b.took()
		for range 3 {
			f.send("DELETE", "/v1.0/jobs/a", "")
		}
		if got := len(b.took()); got != 1 {
			t.Errorf("the scheduler that is up again got %d calls of 3, want 1", got)
		}
	})
}

func TestCallsSkipUnresponsiveScheduler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t}
		f.dialer = func(ctx context.Context, address string) (net.Conn, error) {
			if address == "b:1" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return f.dial(ctx, address)
		}
		f.scheduler = newScheduler(t, f.network, "a:1", "a:1", "b:1", "c:1")
		newScheduler(t, f.network, "c:1")
		f.run(sidecar.Config{Schedulers: []string{"a:1"}})
		for i := range 6 {
			began := time.Now()
			got := f.send("POST", "/v1.0/jobs/a"+fmt.Sprint(i), `{"dueTime":"1h"}`)
			if d := time.Since(began); got.code != 204 || d > 250*time.Millisecond {
				t.Errorf("call %d: POST = %d %s after %v, want 204 within 250 ms", i+1, got.code, got.body, d)
			}
		}
	})
}

func TestCallIsNotRetriedElsewhereAfterSchedulerLeaves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, b, c := cluster(t)
		b.holds, b.release = true, make(chan struct{})
		began := time.Now()
		time.AfterFunc(5*time.Second, func() { f.scheduler.publish("a:1", "c:1") })
		time.AfterFunc(7*time.Second, func() { close(b.release) })
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`); got.code != 204 {
			t.Errorf("POST = %d %s, want 204", got.code, got.body)
		}
		if d := time.Since(began); d != 7*time.Second {
			t.Errorf("the call was answered after %v, want 7s", d)
		}
		if got := len(b.took()) + len(c.took()) + len(f.scheduler.took()); got != 1 {
			t.Errorf("%d calls were made, want 1", got)
		}
	})
}

func TestWaitingCallMovesWhenSchedulerLeaves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, b, _ := cluster(t)
		f.scheduler.publish("b:1")
		synctest.Wait()
		b.die()
		began := time.Now()
		time.AfterFunc(4*time.Second, func() { f.scheduler.publish("a:1", "c:1") })
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`); got.code != 204 {
			t.Errorf("POST = %d %s, want 204", got.code, got.body)
		}
		if d := time.Since(began) - 4*time.Second; d < 125*time.Millisecond || d > 375*time.Millisecond {
			t.Errorf("the call moved on after %v, want 125 to 375 ms", d)
		}
	})
}

func TestSchedulerErrorIsNotRetried(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		f.scheduler.answersWith(status.Error(codes.Unavailable, "no"))
		f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`)
		if got := f.scheduler.took(); len(got) != 1 {
			t.Errorf("the scheduler was asked %d times, want once", len(got))
		}
	})
}

func TestHungSchedulerTimesOutAfter30Seconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		f.scheduler.holds = true
		began := time.Now()
		got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`)
		if d := time.Since(began); got.code != 504 || d != 30*time.Second {
			t.Errorf("POST = %d %s after %v, want 504 after 30s", got.code, got.body, d)
		}
	})
}

func TestStopDrainsCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, sidecar.Config{})
		f.scheduler.holds = true
		done := make(chan answer, 1)
		go func() { done <- f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`) }()
		overGRPC := make(chan error, 1)
		c := runtimev1.NewDaprClient(f.grpc())
		go func() {
			_, err := c.DeleteJob(t.Context(), &runtimev1.DeleteJobRequest{Name: "a"})
			overGRPC <- err
		}()
		synctest.Wait()
		began := time.Now()
		f.stop()
		if d := time.Since(began); d > time.Second {
			t.Errorf("stopping took %v", d)
		}
		if err := <-overGRPC; err == nil {
			t.Error("DeleteJob = nil, though it was broken off")
		}
		if got := <-done; got.code != 408 {
			t.Errorf("POST = %d %s, want 408: it was broken off", got.code, got.body)
		}
	})
}

func TestConfiguredSchedulersAreUsedWithoutList(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t}
		f.scheduler = newScheduler(t, f.network, "a:1")
		f.scheduler.noHosts = status.Error(codes.Unimplemented, "no")
		f.run(sidecar.Config{Schedulers: []string{"a:1"}})
		if open, _ := f.scheduler.connected(); len(open) != 3 {
			t.Errorf("%d streams are open, want 3", len(open))
		}
		if got := f.send("POST", "/v1.0/jobs/a", `{"dueTime":"1s"}`); got.code != 204 {
			t.Errorf("POST = %d, want 204", got.code)
		}
	})
}

func TestListTimeoutTriesAnotherScheduler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		addresses := []string{schedulerAddress}
		for i := range 8 { // any of the nine is asked first
			address := fmt.Sprintf("mute:%d", i+1)
			newScheduler(t, f.network, address, address).mute = true
			addresses = append(addresses, address)
		}
		f.run(sidecar.Config{Schedulers: addresses})
		time.Sleep(time.Hour)
		f.wantStreams("after an hour", 3, 3)
	})
}

func TestHostWatchSurvivesErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fixture{network: new(network), t: t}
		f.scheduler = newScheduler(t, f.network, "a:1", "a:1")
		f.scheduler.noHosts = status.Error(codes.Unavailable, "no")
		f.run(sidecar.Config{Schedulers: []string{"a:1", "nowhere:1"}})
		time.Sleep(time.Minute)
		f.scheduler.mu.Lock()
		f.scheduler.noHosts = nil
		f.scheduler.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if open, _ := f.scheduler.connected(); len(open) != 3 {
			t.Errorf("%d streams are open, want 3", len(open))
		}
	})
}
