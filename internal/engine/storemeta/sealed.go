package storemeta

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/pause"
	"carillon/internal/store"
)

// pageJobs is how many jobs EachJob reads at once.
const pageJobs = 500

// CountSealed returns how many jobs in a store are sealed with each key, by its id. Under "" it
// returns how many are not sealed. Keys that the store remembers and no job needs have 0.
func CountSealed(ctx context.Context, s store.Store) (map[string]int64, error) {
	counts := map[string]int64{}
	prefix := record.EncryptionKey("")
	for pair, err := range s.Scan(ctx, store.Prefix(prefix), 0) {
		if err != nil {
			return nil, fmt.Errorf("read which keys the store is sealed with: %w", err)
		}
		if id := string(pair.Key[len(prefix):]); id != "" {
			counts[id] = 0
		}
	}
	err := EachJob(ctx, s, 0, func(page []store.Pair) error {
		for _, pair := range page {
			counts[record.SealedWith(pair.Value)]++
		}
		return nil
	})
	return counts, err
}

// EachJob calls f with the specs of all jobs, page by page. After each page it pauses for rest
// times as long as the page took. A page is valid until f returns.
func EachJob(ctx context.Context, s store.Store, rest int, f func([]store.Pair) error) error {
	for left := record.JobRange(); ; {
		begun := time.Now()
		page := make([]store.Pair, 0, pageJobs)
		for pair, err := range s.Scan(ctx, left, pageJobs) {
			if err != nil {
				return fmt.Errorf("read the jobs: %w", err)
			}
			page = append(page, store.Pair{Key: bytes.Clone(pair.Key), Value: bytes.Clone(pair.Value)})
		}
		if err := f(page); err != nil || len(page) < pageJobs {
			return err
		}
		left.From = append(page[len(page)-1].Key, 0)
		if rest > 0 {
			pause.For(ctx, time.Duration(rest)*time.Since(begun))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
