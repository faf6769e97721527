package scheduler_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"carillon/internal/scheduler"
)

// usage counts the jobs of the store in memory, and how often it was called.
func (m *memory) usage(counts *int) func(context.Context, string) (jobs, bytes int64, err error) {
	return func(_ context.Context, namespace string) (jobs, bytes int64, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		*counts++
		for k, s := range m.jobs {
			if k.Target.Namespace == namespace {
				jobs++
				bytes += int64(len(k.Name) + len(s.Data.Value))
			}
		}
		return jobs, bytes, m.fail
	}
}

func request(ns, name string, bytes int) *schedulerv1.ScheduleJobRequest {
	r := &schedulerv1.ScheduleJobRequest{Name: name, Metadata: jobMetadata(ns, "app"), Job: inAnHour(), Overwrite: true}
	r.Job.Data = &anypb.Any{Value: make([]byte, bytes)}
	return r
}

// stored schedules jobs concurrently, and returns how many were stored. The others must exceed the
// quota.
func (n *node) stored(t *testing.T, ns, prefix string, jobs, bytes int) (taken int) {
	t.Helper()
	var calls sync.WaitGroup
	var ok atomic.Int64
	for i := range jobs {
		calls.Go(func() {
			_, err := n.ScheduleJob(t.Context(), request(ns, fmt.Sprint(prefix, i), bytes))
			switch status.Code(err) {
			case codes.OK:
				ok.Add(1)
			case codes.ResourceExhausted:
			default:
				t.Errorf("%v, want ResourceExhausted", err)
			}
		})
	}
	calls.Wait()
	return int(ok.Load())
}

// storedTogether schedules jobs by one call, and returns how many were stored.
func (n *node) storedTogether(t *testing.T, ns, prefix string, jobs int) (taken int) {
	t.Helper()
	var all []*schedulerv1.ScheduleJobRequest
	for i := range jobs {
		all = append(all, request(ns, fmt.Sprint(prefix, i), 1))
	}
	answer, err := n.bulk(t, all...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range answer.GetRefused() {
		if codes.Code(r.GetCode()) != codes.ResourceExhausted {
			t.Errorf("%v, want ResourceExhausted", r)
		}
	}
	return jobs - len(answer.GetRefused())
}

func TestQuotaLimitsJobsOfNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runWith(t, func(c *scheduler.Config, _ *memory) { c.Quota.Jobs = 10 })
		if got := n.stored(t, "a", "x", 10, 1); got != 10 {
			t.Errorf("%d of 10 were taken, want all", got)
		}
		if got := n.stored(t, "a", "more", 5, 1); got != 0 {
			t.Errorf("%d more were taken", got)
		}
		if got := n.storedTogether(t, "a", "y", 5); got != 0 {
			t.Errorf("%d more were taken by a stream", got)
		}
		if got := n.storedTogether(t, "b", "x", 15); got != 10 {
			t.Errorf("%d of 15 were taken by a stream in another namespace, want 10", got)
		}
		for i := range 4 {
			if _, err := n.DeleteJob(t.Context(), &schedulerv1.DeleteJobRequest{Name: fmt.Sprint("x", i), Metadata: jobMetadata("a", "app")}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		if got := n.stored(t, "a", "z", 10, 1); got != 4 {
			t.Errorf("%d were taken after 4 had gone", got)
		}
	})
}

func TestQuotaLimitsBytesOfNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runWith(t, func(c *scheduler.Config, _ *memory) { c.Quota.Bytes = 100 << 10 })
		if got := n.stored(t, "a", "x", 30, 8<<10); got < 11 || got > 12 {
			t.Errorf("%d jobs of 8 KiB were taken for 100 KiB", got)
		}
		if got := n.stored(t, "b", "x", 10, 8<<10); got != 10 {
			t.Errorf("%d jobs of 10 were taken in another namespace", got)
		}
	})
}

// A count reads all jobs of a namespace: one that is full, and asks for more all the time, is not
// counted all the time.
func TestFullNamespaceIsCountedRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := 0
		n := runWith(t, func(c *scheduler.Config, m *memory) {
			c.Quota.Jobs = 10
			count := m.usage(&counts)
			c.Quota.Count = func(ctx context.Context, ns string) (jobs, bytes int64, err error) {
				time.Sleep(time.Second) // there are many
				return count(ctx, ns)
			}
		})
		n.stored(t, "a", "x", 10, 1)
		for range 120 {
			n.stored(t, "a", "y", 2, 1)
			time.Sleep(500 * time.Millisecond)
		}
		if counts < 2 || counts > 5 {
			t.Errorf("it was counted %d times in a minute, want each 20 seconds: counting takes one", counts)
		}
	})
}

func TestUncountableNamespaceStoresNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runWith(t, func(c *scheduler.Config, _ *memory) {
			c.Quota.Jobs = 10
			c.Quota.Count = func(context.Context, string) (jobs, bytes int64, err error) {
				return 0, 0, fmt.Errorf("the disk says no")
			}
		})
		if _, err := n.ScheduleJob(t.Context(), request("a", "x", 1)); status.Code(err) != codes.Internal {
			t.Errorf("%v, want Internal", err)
		}
	})
}

func TestQuotaLimitsCallRateOfNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runWith(t, func(c *scheduler.Config, _ *memory) { c.Quota.Rate = 10 })
		if got := n.storedTogether(t, "a", "y", 25); got != 10 {
			t.Errorf("%d calls of 25 were made by a stream, want 10", got)
		}
		if got := n.stored(t, "b", "x", 25, 1); got != 10 {
			t.Errorf("%d calls of 25 were made at once in another namespace, want 10", got)
		}
		time.Sleep(500 * time.Millisecond)
		if got := n.stored(t, "b", "x", 25, 1); got != 5 {
			t.Errorf("%d calls were made after half a second, want 5", got)
		}
		other := n.client(t) // which is not slowed down
		defer other.Close()
		list := func() error {
			_, err := schedulerv1.NewSchedulerClient(other).ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: jobMetadata("b", "app")})
			return err
		}
		time.Sleep(100 * time.Millisecond)
		if err := list(); err != nil {
			t.Errorf("a list, a tenth of a second later: %v", err)
		}
		if err := list(); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("a second one: %v, want ResourceExhausted", err)
		}
		time.Sleep(time.Hour)
		if got := n.stored(t, "b", "x", 25, 1); got != 10 {
			t.Errorf("%d calls were made at once after an hour, want 10", got)
		}
	})
}

// A large job is worth several small ones, and so is a large list.
func TestLargeJobsAndListsCountAsSeveralCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runWith(t, func(c *scheduler.Config, _ *memory) { c.Quota.Rate = 10 })
		const megabyte = 1 << 20
		if got := n.stored(t, "a", "x", 1, megabyte); got != 1 {
			t.Errorf("%d are taken, of one of a megabyte", got)
		}
		time.Sleep(time.Second)
		if got := n.stored(t, "a", "y", 1, 1); got != 0 {
			t.Errorf("%d are taken a second later: a megabyte is worth more", got)
		}
		time.Sleep(100 * time.Millisecond)
		if got := n.stored(t, "a", "z", 1, 1); got != 1 {
			t.Errorf("%d calls are allowed two seconds later: a debt ends by then", got)
		}
		time.Sleep(time.Second)
		_, err := n.ListJobs(t.Context(), &schedulerv1.ListJobsRequest{Metadata: jobMetadata("a", "app")})
		if err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if got := n.stored(t, "a", "y", 1, 1); got != 0 {
			t.Errorf("%d are taken a second after a list of a megabyte", got)
		}
	})
}

// Refusals are not free: the server reads more slowly from a client that floods it, and from no
// other.
func TestOnlyNamespaceOverItsRateIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runWith(t, func(c *scheduler.Config, _ *memory) { c.Quota.Rate = 10 })
		other := n.client(t)
		defer other.Close()
		ctx, end := t.Context(), time.Now().Add(10*time.Second)
		var made atomic.Int64
		var floods sync.WaitGroup
		for range 200 {
			floods.Go(func() {
				for time.Now().Before(end) {
					_, _ = n.ScheduleJob(ctx, request("loud", "x", 1))
					made.Add(1)
				}
			})
		}
		floods.Go(func() {
			for time.Now().Before(end) {
				var all []*schedulerv1.ScheduleJobRequest
				for range 100 {
					all = append(all, request("loud", "x", 1))
				}
				_, _ = n.bulk(t, all...)
				made.Add(100)
			}
		})
		for range 80 {
			began := time.Now()
			if _, err := schedulerv1.NewSchedulerClient(other).ScheduleJob(ctx, request("quiet", "x", 1)); err != nil || time.Since(began) > 0 {
				t.Errorf("another namespace waits for %v: %v", time.Since(began), err)
			}
			time.Sleep(110 * time.Millisecond)
		}
		floods.Wait()
		if got := made.Load(); got > 15_000 {
			t.Errorf("%d calls were made in ten seconds, want no more than 32 KiB of them in a second", got)
		}
	})
}

// A namespace that is longer than any name may be has no account: its jobs are refused for its
// length, and it is not kept.
func TestInvalidNamespaceIsNotTracked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runWith(t, func(c *scheduler.Config, _ *memory) { c.Quota.Rate = 1 })
		long := strings.Repeat("n", 1<<20)
		for range 3 {
			if _, err := n.ScheduleJob(t.Context(), request(long, "x", 1)); status.Code(err) != codes.Unknown {
				t.Errorf("%.100v, want Unknown each time, as without a quota", err)
			}
		}
	})
}

// docs/security.md promises a delay of five milliseconds for each refused call, for every method
// and quota.
func TestCallOverQuotaThrottlesOnce(t *testing.T) {
	for name, quota := range map[string]scheduler.Quota{"rate": {Rate: 0.001}, "jobs": {Jobs: 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := runWith(t, func(c *scheduler.Config, _ *memory) {
					c.Quota = quota
					c.Quota.Count = func(context.Context, string) (jobs, bytes int64, err error) { return 1, 1, nil }
				})
				const calls = 100
				began := time.Now()
				for range calls {
					if _, err := n.ScheduleJob(t.Context(), request("a", "x", 1)); status.Code(err) != codes.ResourceExhausted {
						t.Fatalf("%v, want ResourceExhausted", err)
					}
				}
				if took := time.Since(began).Round(10 * time.Millisecond); took != calls*5*time.Millisecond {
					t.Errorf("%d calls are refused in %v, want 5 ms for each", calls, took)
				}
				time.Sleep(time.Second)
				began = time.Now()
				for range calls {
					if answer, err := n.bulk(t, request("a", "x", 1)); err != nil || len(answer.GetRefused()) != 1 {
						t.Fatalf("%v, %v: want one that is refused", answer, err)
					}
				}
				if took := time.Since(began).Round(10 * time.Millisecond); took != calls*5*time.Millisecond {
					t.Errorf("%d jobs of bulk calls are refused in %v, want 5 ms for each", calls, took)
				}
			})
		})
	}
}

// Invented namespaces do not fill the memory: idle ones are forgotten after a second.
func TestIdleNamespacesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runWith(t, func(c *scheduler.Config, _ *memory) { c.Quota.Rate = 10 })
		taken := 0
		for i := range 11 {
			var all []*schedulerv1.ScheduleJobRequest
			for j := range 1000 {
				all = append(all, request(fmt.Sprint("ns", i, "-", j), "x", 1))
			}
			answer, err := n.bulk(t, all...)
			if err != nil {
				t.Fatal(err)
			}
			taken += len(all) - len(answer.GetRefused())
		}
		if taken != 10_000 {
			t.Errorf("%d namespaces were served within no time, want 10,000", taken)
		}
		time.Sleep(time.Second)
		if got := n.stored(t, "another", "x", 1, 1); got != 1 {
			t.Error("a second later another namespace is refused")
		}
	})
}
