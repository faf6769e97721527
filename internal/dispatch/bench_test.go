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

// The same, while a waiter of each partition waits for capacity.
func BenchmarkSettleWithScarceCapacity(b *testing.B) {
	d := dispatch.New(dispatch.Config{})
	s := d.Connect([]job.Target{app("a")})
	t := trigger(app("a"), "a-job-with-a-name")
	const waiters = 64
	deliver := func() {
		t.Partition = (t.Partition + 1) % waiters
		d.Deliver(t, ignore, ignoreWake)
	}
	refuse := func() { // until each partition waits
		for d.Stats().Waiting < waiters {
			deliver()
		}
	}
	refuse()
	b.ReportAllocs()
	for b.Loop() {
		id, _, err := s.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		s.Settle(id, job.Handled)
		deliver()
		refuse()
	}
}
