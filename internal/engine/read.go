package engine

import (
	"context"

	"carillon/internal/job"
)

// What is read from the store for a turn is bounded in bytes, and not only in number: a job may have two megabytes.
const (
	dueKeys       = 16      // about to fire, in one read
	concernedKeys = 32      // of commands, in one read; fewer where jobs were large
	readBytes     = 4 << 20 // of records that are about to fire; the rest fires in the next turn
)

// readDue returns those of the picked entries that can fire now, with their records. The others are in their windows again.
func (lp *loop) readDue(ctx context.Context, picked []entry) ([]entry, []record, error) {
	var records []record
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
			some = append(some, e.key)
		}
		read, n, err := lp.records(ctx, some)
		if err != nil {
			return nil, nil, err
		}
		records, bytes = append(records, read...), bytes+n
	}
	return picked, records, nil
}

// readConcerned returns the records of the jobs that commands concern, without payloads that are not needed.
func (lp *loop) readConcerned(ctx context.Context, commands []*command) ([]record, error) {
	records := make([]record, 0, len(commands))
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
			if r.spec != nil && !commands[len(records)].rewrites {
				r.spec.Data = nil
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
func (lp *loop) records(ctx context.Context, jobs []job.Key) (records []record, bytes int, err error) {
	keys := make([][]byte, 0, len(jobs))
	for _, k := range jobs {
		keys = append(keys, jobKey(k))
	}
	specs, err := lp.store.Get(ctx, keys...)
	if err != nil {
		return nil, 0, err
	}
	keys = keys[:0]
	for i, k := range jobs {
		if specs[i] != nil {
			keys = append(keys, stateKey(k))
		}
	}
	var states [][]byte
	if len(keys) > 0 {
		if states, err = lp.store.Get(ctx, keys...); err != nil {
			return nil, 0, err
		}
	}
	records = make([]record, len(jobs))
	lp.recordSize -= lp.recordSize / 4
	for i, k := range jobs {
		if specs[i] != nil {
			records[i], states = decodeRecord(k, specs[i], states[0]), states[1:]
			bytes += len(specs[i])
			lp.recordSize = max(lp.recordSize, len(specs[i]))
		}
	}
	return records, bytes, nil
}
