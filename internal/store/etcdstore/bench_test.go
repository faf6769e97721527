//go:build unix

package etcdstore_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"carillon/internal/store"
	"carillon/internal/store/etcdmember/etcdtest"
	"carillon/internal/store/etcdstore"
)

// BenchmarkScan reads all keys of a store, with values of 1 KiB. What counts is the processor time for each key, etcd's
// included: it should not grow with their number.
func BenchmarkScan(b *testing.B) {
	for _, n := range []int{50_000, 200_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			cfg := etcdtest.Config(b)
			cfg.MaxTxnOps = 1000
			etcd, _ := etcdtest.Run(b, cfg)
			s, err := etcdstore.Open(etcdstore.Config{Endpoints: etcd, MaxTxnOps: cfg.MaxTxnOps, Timeout: time.Minute}, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for i := 0; i < n; {
				var batch store.Batch
				for range 1000 {
					batch.Put(fmt.Appendf(nil, "ns/app/%d", i), make([]byte, 1024))
					i++
				}
				if err := s.Commit(b.Context(), &batch); err != nil {
					b.Fatal(err)
				}
			}
			begin := processorTime(b)
			for b.Loop() {
				seen := 0
				for _, err := range s.Scan(b.Context(), store.Range{}, 0) {
					if err != nil {
						b.Fatal(err)
					}
					seen++
				}
				if seen != n {
					b.Fatalf("%d keys, want %d", seen, n)
				}
			}
			b.ReportMetric(float64((processorTime(b)-begin).Nanoseconds())/float64(b.N)/float64(n), "cpu-ns/key")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
