package dispatch_test

import (
	"fmt"
	"testing"

	"carillon/internal/dispatch"
	"carillon/internal/job"
)

// A trigger is delivered, sent and settled.
func BenchmarkDeliverNextSettle(b *testing.B) {
	for _, streams := range []int{1, 3, 100} {
		for _, out := range []int{1, 1000} {
			b.Run(fmt.Sprintf("streams=%d/out=%d", streams, out), func(b *testing.B) {
				d := dispatch.New(dispatch.Config{})
				all := make([]*dispatch.Stream, streams)
				for i := range all {
					all[i] = d.Connect([]job.Target{app("a")})
				}
				t := trigger(app("a"), "a-job-with-a-name")
				t.Data = &job.Data{Value: make([]byte, 100)}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if !d.Deliver(t, ignore, ignoreWake) {
						b.Fatal("refused")
					}
					s := all[i%streams]
					id, _, err := s.Next(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					if id > uint64(out) {
						s.Settle(id-uint64(out), job.Handled)
					}
				}
			})
		}
	}
}

// The same, but each freed slot wakes every waiter.
func BenchmarkSettleWithScarceCapacity(b *testing.B) {
	d := dispatch.New(dispatch.Config{})
	s := d.Connect([]job.Target{app("a")})
	t := trigger(app("a"), "a-job-with-a-name")
	for d.Deliver(t, ignore, ignoreWake) {
	}
	for range 63 {
		d.Deliver(t, ignore, ignoreWake)
	}
	b.ReportAllocs()
	for b.Loop() {
		id, _, err := s.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		s.Settle(id, job.Handled)
		for d.Stats().Waiting < 64 {
			d.Deliver(t, ignore, ignoreWake)
		}
	}
}
