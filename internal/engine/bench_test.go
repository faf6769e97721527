package engine_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"carillon/internal/engine"
	"carillon/internal/job"
	"carillon/internal/store/pebblestore"
)

// BenchmarkSchedule has 128 callers schedule durable one-shots on the disk of the folder for temporary files.
func BenchmarkSchedule(b *testing.B) {
	s, err := pebblestore.Open(pebblestore.Config{Dir: b.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	e := engine.New(engine.Config{}, s, &app{}, slog.New(slog.DiscardHandler))
	go func() { _ = e.Run(b.Context()) }()
	spec := once(time.Now().Add(240 * time.Hour))
	spec.Data = &job.Data{Value: make([]byte, 64)}
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
