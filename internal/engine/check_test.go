package engine

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

type pairs = iter.Seq2[store.Pair, error]

// check returns what is wrong with a loop between two turns, if anything: it compares the machine with the store.
func (lp *loop) check(ctx context.Context) error {
	if err := lp.checkMachine(); err != nil {
		return err
	}
	return lp.checkIndex(ctx)
}

// checkMachine returns what is wrong with the machine in itself, between two turns.
func (lp *loop) checkMachine() error {
	m := lp.machine
	if len(m.batch.Writes) > 0 {
		return fmt.Errorf("%d writes were not committed", len(m.batch.Writes))
	}
	for i, l := range m.waiting {
		if l.place != inHeap || l.index != i || !l.next.Equal(l.wakes()) {
			return fmt.Errorf("lane %v does not stand in the heap as it says", l.id)
		}
		if parent := (i - 1) / 2; i > 0 && l.next.Before(m.waiting[parent].next) {
			return fmt.Errorf("lane %v is due before its parent in the heap", l.id)
		}
	}
	if len(m.out) != m.inFlight.Held() {
		return fmt.Errorf("%d triggers are out, and %d count as in flight", len(m.out), m.inFlight.Held())
	}
	held := map[job.Target]int{}
	for k := range m.out {
		held[k.Target]++
	}
	for target, n := range held {
		if got := m.inFlight.HeldBy(target); got != n {
			return fmt.Errorf("%d triggers of %v are out, and %d count as in flight", n, target, got)
		}
	}
	if len(m.ended)+len(m.overtaken)+len(m.gone) > 0 {
		return fmt.Errorf("%v, %v or %v are left from a turn", m.ended, m.overtaken, m.gone)
	}
	for i, l := range m.dry {
		if !l.thirsty || m.lanes[l.id] != l && len(l.window) > 0 || slices.Contains(m.dry[:i], l) {
			return fmt.Errorf("lane %v is to be refilled, and does not want it, or twice", l.id)
		}
	}
	inLines, ready, entries := map[job.Target]int{}, 0, 0
	for id, l := range m.lanes {
		entries += len(l.window)
		switch l.place {
		case inLine:
			inLines[id.Target]++
			ready++
		case throttled:
			if !slices.Contains(m.throttled[id.Target], l) {
				return fmt.Errorf("lane %v is throttled and would not go on", id)
			}
		case nowhere, inHeap, parked:
		}
		if m.ready.LenOf(id.Target) < inLines[id.Target] {
			return fmt.Errorf("lane %v says that it stands in line, and does not", id)
		}
	}
	for target, all := range m.throttled {
		for i, l := range all {
			if l.place != throttled || m.lanes[l.id] != l || slices.Contains(all[:i], l) {
				return fmt.Errorf("lane %v is listed among the throttled of %v, and is not, or is twice", l.id, target)
			}
		}
	}
	if m.entries != entries {
		return fmt.Errorf("%d entries are in the windows, and %d were counted", entries, m.entries)
	}
	if m.ready.Len() != ready {
		return fmt.Errorf("%d lanes say that they stand in line, and %d do", ready, m.ready.Len())
	}
	for id, l := range m.lanes {
		if err := l.check(id); err != nil {
			return fmt.Errorf("lane %v: %w", id, err)
		}
	}
	return nil
}

func (l *lane) check(id record.LaneID) error {
	switch {
	case l.id != id:
		return fmt.Errorf("filed under %v", id)
	case len(l.window) == 0 && !l.more:
		return fmt.Errorf("kept without entries")
	case len(l.window) > l.size || l.size > maxWindow:
		return fmt.Errorf("%d entries in a window of %d", len(l.window), l.size)
	case !slices.IsSortedFunc(l.window, attempt.compare):
		return fmt.Errorf("window out of order")
	case len(l.window) > 0 && l.more && l.window[len(l.window)-1].Compare(l.cursor) > 0:
		return fmt.Errorf("window reaches past the cursor")
	case l.place == nowhere && !l.thirsty:
		return fmt.Errorf("forgotten")
	case l.tallied != len(l.window):
		return fmt.Errorf("%d entries in the window, and %d were counted", len(l.window), l.tallied)
	case l.dry() && l.place != parked && l.place != throttled && !l.thirsty:
		return fmt.Errorf("in want of a refill that nobody knows of")
	case l.prepaid == 0 && !l.notBefore.IsZero():
		return fmt.Errorf("waits until %v for what it has not paid", l.notBefore)
	case l.gap != nil && l.gap.from.Compare(l.gap.to) >= 0:
		return fmt.Errorf("a gap from %v to %v", l.gap.from, l.gap.to)
	}
	return nil
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
		if e.Partition != record.PartitionOf(e.Key, lp.machine.partitions) {
			return fmt.Errorf("%s is in partition %d of the index, which is not its own", e.Key, e.Partition)
		}
		if r.Spec == nil || !r.Due().Equal(e.Due) {
			return fmt.Errorf("%s is in the index at %v, and its record says otherwise: %w", e.Key, e.Due, r.Err)
		}
		inWindow, onDisk := false, false
		if l := lp.machine.lanes[e.Lane()]; l != nil {
			_, inWindow = l.find(e)
			onDisk = l.more && e.Compare(l.cursor) > 0 && !l.gap.holds(e)
		}
		d := lp.machine.out[e.Key]
		out := d != nil && (!d.replaced || d.next != nil && d.next.Compare(e) == 0)
		if !inWindow && !onDisk && !out {
			return fmt.Errorf("%s, due %v, is nowhere: it would never fire", e.Key, e.Due)
		}
		if inWindow {
			seen++
		}
	}
	for _, l := range lp.machine.lanes {
		seen -= len(l.window)
	}
	if seen != 0 {
		return fmt.Errorf("the windows hold %d entries that the index does not", -seen)
	}
	return nil
}
