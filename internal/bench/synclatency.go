package bench

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// syncBytes is the size of an append before a sync.
const syncBytes = 256

// syncLatency returns the median time of an append and a sync of a file in dir.
func syncLatency(dir string, times int) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0, fmt.Errorf("measure the disk: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer f.Close()
	took := make([]time.Duration, 0, times)
	some := make([]byte, syncBytes)
	for range times {
		begin := time.Now()
		if _, err := f.Write(some); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return percentile(took, 0.5), nil
}
