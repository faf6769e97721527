package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store/pebblestore"
)

// BenchmarkSchedule has 128 callers schedule durable one-shots on the disk of the folder for temporary files.
func BenchmarkSchedule(b *testing.B) {
	e, spec := benchEngine(b)
	var n atomic.Int64
	b.SetParallelism(64)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := e.Schedule(b.Context(), key("app", fmt.Sprint("job", n.Add(1))), spec, false); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkScheduleAll has four callers schedule five hundred jobs in a call.
func BenchmarkScheduleAll(b *testing.B) {
	e, spec := benchEngine(b)
	const size, callers = 500, 4
	var next atomic.Int64
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			for {
				n := int(next.Add(size)) - size
				if n >= b.N {
					return
				}
				all := make([]job.Request, min(size, b.N-n))
				for i := range all {
					all[i] = job.Request{Key: key("app", fmt.Sprint("job", n+i)), Spec: spec}
				}
				if err := errors.Join(e.ScheduleAll(b.Context(), all)...); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	calling.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

func benchEngine(b *testing.B) (*engine.Engine, job.Spec) {
	s, err := pebblestore.Open(pebblestore.Config{Dir: b.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	e := engine.New(engine.Config{}, s, &app{}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			b.Error(err)
		}
	})
	spec := once(time.Now().Add(240 * time.Hour))
	spec.Data = &job.Data{Value: make([]byte, 64)}
	b.ResetTimer()
	return e, spec
}
