package engine

import (
	"context"
	"slices"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/record"
	"carillon/internal/engine/storemeta"
	"carillon/internal/job"
	"carillon/internal/store"
)

// The most that a turn reads at once. It is bounded in bytes as well as in number, because a job may
// have two megabytes.
const (
	dueKeys     = 16      // jobs that are about to fire, in one read
	commandKeys = 32      // jobs of commands in one read; fewer where jobs were large
	readBytes   = 4 << 20 // of records that are about to fire; the rest fires in the next turn
)

// readDue reads the records of picked attempts. It returns those that can fire in this turn, and
// requeues the others.
func (lp *loop) readDue(ctx context.Context, picked []machine.Attempt) ([]machine.Attempt, []machine.Stored, error) {
	var records []machine.Stored
	bytes := 0
	for len(records) < len(picked) {
		if bytes > readBytes {
			for _, a := range picked[len(records):] {
				lp.machine.Requeue(a)
			}
			return picked[:len(records)], records, nil
		}
		var some []job.Key
		for _, a := range picked[len(records):min(len(picked), len(records)+dueKeys)] {
			some = append(some, a.Key)
		}
		read, n, err := lp.readRecords(ctx, some)
		if err != nil {
			return nil, nil, err
		}
		for i, r := range read {
			if a := picked[len(records)+i]; r.Spec != nil && !r.Due().Equal(a.Due) {
				if read[i].Obsolete, err = record.HasEntry(ctx, lp.store, a.At(r.Due())); err != nil {
					return nil, nil, err
				}
			}
		}
		records, bytes = append(records, read...), bytes+n
	}
	return picked, records, nil
}

// readForCommands reads the records of the jobs of commands, without payloads that are not needed.
func (lp *loop) readForCommands(ctx context.Context, commands []*command) ([]machine.Stored, error) {
	records := make([]machine.Stored, 0, len(commands))
	for len(records) < len(commands) {
		var some []job.Key
		for _, c := range commands[len(records):min(len(commands), len(records)+lp.readSize())] {
			some = append(some, c.key)
		}
		read, _, err := lp.readRecords(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, r := range read {
			if r.Err != nil {
				if r.Strays, err = lp.readStrays(ctx, commands[len(records)].key); err != nil {
					return nil, err
				}
			}
			if r.Spec != nil && !commands[len(records)].needsPayload {
				r.Spec.Data = nil
			}
			records = append(records, r)
		}
	}
	return records, nil
}

// readSize is how many records of commands to read at once. Most scheduled jobs are new and read
// nothing.
func (lp *loop) readSize() int { return max(1, min(commandKeys, readBytes/max(1, lp.recordSize))) }

// readRecords reads what the store holds about jobs, and returns about how many bytes that takes.
// It reads states only of jobs that exist: most scheduled jobs are new.
func (lp *loop) readRecords(ctx context.Context, jobs []job.Key) (records []machine.Stored, bytes int, err error) {
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
	records = make([]machine.Stored, len(jobs))
	lp.recordSize -= lp.recordSize / 4
	for i, k := range jobs {
		if specs[i] != nil {
			if err := storemeta.MissingKey(ctx, lp.store, lp.keys, specs[i]); err != nil {
				return nil, 0, err
			}
			records[i].Record, states = record.Decode(k, specs[i], states[0]), states[1:]
			if err := records[i].Err; err != nil {
				lp.quarantine.Report(ctx, record.JobKey(k), len(specs[i]), err)
			}
			bytes += len(specs[i])
			lp.recordSize = max(lp.recordSize, len(specs[i]))
		}
	}
	return records, bytes, nil
}

// The most entries of a lane that readStrays reads, and the most that it returns.
const (
	strayKeys = 100_000
	maxStrays = 2
)

// readStrays finds entries of k in the due index. It is for a job whose record cannot be read, and
// so does not say where they are.
func (lp *loop) readStrays(ctx context.Context, k job.Key) (found []record.Entry, err error) {
	lane := record.LaneID{Partition: record.PartitionOf(k, lp.partitionCount), Target: k.Target}
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

// refill reads more of the due index for each of the lanes.
func (lp *loop) refill(ctx context.Context, lanes []*machine.Lane) error {
	for _, l := range lanes {
		limit := lp.machine.GrowWindow(l)
		var read []record.Entry
		for _, r := range l.Unread() {
			if len(read) == limit {
				break
			}
			more, err := lp.scan(ctx, r, limit-len(read))
			if err != nil {
				return err
			}
			read = append(read, more...)
		}
		lp.machine.Refill(l, read, len(read) == limit)
	}
	return nil
}

// readLaneHeads reads the beginning of every lane of a partition.
func (lp *loop) readLaneHeads(ctx context.Context, partition int) ([]laneHead, error) {
	const page = 16 // entries
	var all []laneHead
	for rest := record.PartitionRange(partition); ; {
		read, err := lp.scan(ctx, rest, page)
		if err != nil {
			return nil, err
		}
		full := len(read) == page
		for len(read) > 0 {
			lane, n := read[0].Lane(), 1
			for n < len(read) && read[n].Lane() == lane {
				n++
			}
			all = append(all, laneHead{read[:n:n], full && n == len(read)})
			rest.From = record.LaneRange(lane).To
			read = read[n:]
		}
		if !full {
			return all, nil
		}
	}
}

// scan reads up to limit entries of the due index. It skips keys that are malformed and reports
// them to the quarantine.
func (lp *loop) scan(ctx context.Context, r store.Range, limit int) ([]record.Entry, error) {
	var read []record.Entry
	for {
		want, n := limit-len(read), 0
		var last []byte // malformed key
		for pair, err := range lp.store.Scan(ctx, r, want) {
			if err != nil {
				return nil, err
			}
			n++
			e, err := record.ParseDueKeyOf(pair.Key, lp.partitionCount)
			if err != nil {
				last = append(last[:0], pair.Key...)
				lp.quarantine.Report(ctx, pair.Key, len(pair.Value), err)
				continue
			}
			if n := len(read); n > 0 && read[n-1].Key.Target == e.Key.Target {
				e.Key.Target = read[n-1].Key.Target // share the strings, because windows are kept
			}
			read = append(read, e)
		}
		if n < want || len(read) == limit {
			return read, nil
		}
		r.From = append(last, 0) // go on after the later of the last malformed key and the last entry
		if len(read) > 0 {
			if from := append(record.DueKey(read[len(read)-1]), 0); slices.Compare(from, r.From) > 0 {
				r.From = from
			}
		}
	}
}
