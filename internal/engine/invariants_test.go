package engine

import (
	"context"
	"fmt"
	"iter"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/store"
)

type pairs = iter.Seq2[store.Pair, error]

// check returns what is wrong with a loop between two turns, if anything: it compares the machine with the store.
func (lp *loop) check(ctx context.Context) error {
	if err := lp.machine.Check(); err != nil {
		return err
	}
	return lp.checkIndex(ctx)
}

// checkIndex holds that each job of the store has one entry in the index, where it says; and that each entry is in one
// of three places: a window, behind a cursor, or out.
func (lp *loop) checkIndex(ctx context.Context) error {
	var entries []record.Entry
	for _, partition := range lp.partitions {
		read, err := lp.scan(ctx, record.PartitionRange(partition), 1<<20)
		if err != nil {
			return err
		}
		entries = append(entries, read...)
	}
	jobs := 0
	for _, err := range lp.store.Scan(ctx, record.JobRange(), 1<<20) {
		if err != nil {
			return err
		}
		jobs++
	}
	if jobs != len(entries) {
		return fmt.Errorf("%d jobs and %d entries in the index", jobs, len(entries))
	}
	keys := make([][]byte, 0, 2*len(entries))
	for _, e := range entries {
		keys = append(keys, record.JobKey(e.Key), record.StateKey(e.Key))
	}
	values, err := lp.store.Get(ctx, keys...)
	if err != nil {
		return err
	}
	seen := 0
	for i, e := range entries {
		r := record.Decode(e.Key, values[2*i], values[2*i+1])
		if e.Partition != record.PartitionOf(e.Key, lp.partitionCount) {
			return fmt.Errorf("%s is in partition %d of the index, which is not its own", e.Key, e.Partition)
		}
		if r.Spec == nil || !r.Due().Equal(e.Due) {
			return fmt.Errorf("%s is in the index at %v, and its record says otherwise: %w", e.Key, e.Due, r.Err)
		}
		inWindow, onDisk, inFlight := lp.machine.Find(e)
		if !inWindow && !onDisk && !inFlight {
			return fmt.Errorf("%s, due %v, is in none of the three places: it would never fire", e.Key, e.Due)
		}
		if inWindow {
			seen++
		}
	}
	if n := lp.machine.Stats(time.Time{}).Entries; n != seen {
		return fmt.Errorf("the windows hold %d entries that the index does not", n-seen)
	}
	return nil
}
