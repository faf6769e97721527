package engine

import (
	"context"

	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// What is read from the store for a turn is bounded in bytes, and not only in number: a job may have two megabytes.
const (
	dueKeys       = 16      // about to fire, in one read
	concernedKeys = 32      // of commands, in one read; fewer where jobs were large
	readBytes     = 4 << 20 // of records that are about to fire; the rest fires in the next turn
)

// readDue returns those of the picked entries that can fire now, with their records. The others are in their windows again.
func (lp *loop) readDue(ctx context.Context, picked []attempt) ([]attempt, []stored, error) {
	var records []stored
	bytes := 0
	for len(records) < len(picked) {
		if bytes > readBytes {
			for _, e := range picked[len(records):] {
				lp.machine.unpick(e)
				lp.machine.unpay(e)
				lp.machine.insert(e)
			}
			return picked[:len(records)], records, nil
		}
		var some []job.Key
		for _, e := range picked[len(records):min(len(picked), len(records)+dueKeys)] {
			some = append(some, e.Key)
		}
		read, n, err := lp.records(ctx, some)
		if err != nil {
			return nil, nil, err
		}
		for i, r := range read {
			if e := picked[len(records)+i]; r.Spec != nil && !r.Due().Equal(e.Due) {
				if read[i].obsolete, err = present(ctx, lp.store, e.At(r.Due())); err != nil {
					return nil, nil, err
				}
			}
		}
		records, bytes = append(records, read...), bytes+n
	}
	return picked, records, nil
}

// What is read of a lane to find the entries of a job that cannot be read, and how many are removed with it.
const (
	strayKeys = 100_000
	maxStrays = 2
)

// strays returns entries of the index that are of k, whose record does not say where they are.
func (lp *loop) strays(ctx context.Context, k job.Key) (found []record.Entry, err error) {
	lane := record.LaneID{Partition: record.PartitionOf(k, lp.all), Target: k.Target}
	for pair, err := range lp.store.Scan(ctx, record.LaneRange(lane), strayKeys) {
		if err != nil {
			return nil, err
		}
		if e, err := record.ParseDueKey(pair.Key); err == nil && e.Key == k {
			if found = append(found, e); len(found) == maxStrays {
				break
			}
		}
	}
	return found, nil
}

// readConcerned returns the records of the jobs that commands concern, without payloads that are not needed.
func (lp *loop) readConcerned(ctx context.Context, commands []*command) ([]stored, error) {
	records := make([]stored, 0, len(commands))
	for len(records) < len(commands) {
		var some []job.Key
		for _, c := range commands[len(records):min(len(commands), len(records)+lp.readSize())] {
			some = append(some, c.key)
		}
		read, _, err := lp.records(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, r := range read {
			if r.Err != nil {
				if r.strays, err = lp.strays(ctx, commands[len(records)].key); err != nil {
					return nil, err
				}
			}
			if r.Spec != nil && !commands[len(records)].rewrites {
				r.Spec.Data = nil
			}
			records = append(records, r)
		}
	}
	return records, nil
}

// readSize is how many records of commands to read at once. Most jobs that are scheduled are new, and take nothing.
func (lp *loop) readSize() int { return max(1, min(concernedKeys, readBytes/max(1, lp.recordSize))) }

// records returns what the store holds about the jobs, and about how many bytes that takes. It asks for the states of those
// alone that are there: most jobs that are scheduled are new.
func (lp *loop) records(ctx context.Context, jobs []job.Key) (records []stored, bytes int, err error) {
	keys := make([][]byte, 0, len(jobs))
	for _, k := range jobs {
		keys = append(keys, record.JobKey(k))
	}
	specs, err := lp.store.Get(ctx, keys...)
	if err != nil {
		return nil, 0, err
	}
	keys = keys[:0]
	for i, k := range jobs {
		if specs[i] != nil {
			keys = append(keys, record.StateKey(k))
		}
	}
	var states [][]byte
	if len(keys) > 0 {
		if states, err = lp.store.Get(ctx, keys...); err != nil {
			return nil, 0, err
		}
	}
	records = make([]stored, len(jobs))
	lp.recordSize -= lp.recordSize / 4
	for i, k := range jobs {
		if specs[i] != nil {
			if err := missingKey(ctx, lp.store, lp.keys, specs[i]); err != nil {
				return nil, 0, err
			}
			records[i].Record, states = record.Decode(k, specs[i], states[0]), states[1:]
			if err := records[i].Err; err != nil {
				lp.aside.report(ctx, record.JobKey(k), len(specs[i]), err)
			}
			bytes += len(specs[i])
			lp.recordSize = max(lp.recordSize, len(specs[i]))
		}
	}
	return records, bytes, nil
}
