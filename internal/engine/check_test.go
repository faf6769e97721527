package engine

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carillon/internal/job"
	"carillon/internal/store"
)

type pairs = iter.Seq2[store.Pair, error]

// check returns what is wrong with a partition between two turns, if anything: it compares the machine with the store.
func (p *partition) check(ctx context.Context) error {
	m := p.machine
	if len(m.batch.Writes) > 0 {
		return fmt.Errorf("%d writes were not committed", len(m.batch.Writes))
	}
	for i, l := range m.waiting {
		if l.place != inHeap || l.index != i || !l.next.Equal(l.window[0].due) {
			return fmt.Errorf("lane %s does not stand in the heap as it says", l.target)
		}
		if parent := (i - 1) / 2; i > 0 && l.next.Before(m.waiting[parent].next) {
			return fmt.Errorf("lane %s is due before its parent in the heap", l.target)
		}
	}
	for _, l := range m.ready {
		if l.place != inLine {
			return fmt.Errorf("lane %s stands in line and does not know it", l.target)
		}
	}
	for target, l := range m.lanes {
		if err := l.check(target); err != nil {
			return fmt.Errorf("lane %s: %w", target, err)
		}
	}
	return p.checkIndex(ctx)
}

func (l *lane) check(target job.Target) error {
	switch {
	case l.target != target:
		return fmt.Errorf("filed under %s", target)
	case len(l.window) == 0 && !l.more:
		return fmt.Errorf("kept without entries")
	case len(l.window) > l.size || l.size > maxWindow:
		return fmt.Errorf("%d entries in a window of %d", len(l.window), l.size)
	case !slices.IsSortedFunc(l.window, entry.compare):
		return fmt.Errorf("window out of order")
	case len(l.window) > 0 && l.more && l.window[len(l.window)-1].compare(l.cursor) > 0:
		return fmt.Errorf("window reaches past the cursor")
	case l.place == nowhere && !l.thirsty:
		return fmt.Errorf("forgotten")
	}
	return nil
}

// checkIndex holds that each job of the store has one entry in the index, where it says; and that each entry is in one
// of three places: a window, behind a cursor, or out.
func (p *partition) checkIndex(ctx context.Context) error {
	entries, err := p.scan(ctx, dueRange(p.id), 1<<20)
	if err != nil {
		return err
	}
	jobs := 0
	for _, err := range p.store.Scan(ctx, store.Prefix([]byte{tagJob}), 1<<20) {
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
		keys = append(keys, jobKey(e.key), stateKey(e.key))
	}
	values, err := p.store.Get(ctx, keys...)
	if err != nil {
		return err
	}
	seen := 0
	for i, e := range entries {
		r := decodeRecord(e.key, values[2*i], values[2*i+1])
		if r.spec == nil || !r.due().Equal(e.due) {
			return fmt.Errorf("%s is in the index at %v, and its record says otherwise: %w", e.key, e.due, r.broken)
		}
		inWindow, onDisk := false, false
		if l := p.machine.lanes[e.key.Target]; l != nil {
			_, inWindow = slices.BinarySearchFunc(l.window, e, entry.compare)
			onDisk = l.more && e.compare(l.cursor) > 0
		}
		d := p.machine.out[e.key]
		out := d != nil && (!d.replaced || d.held && d.next.compare(e) == 0)
		if !inWindow && !onDisk && !out {
			return fmt.Errorf("%s, due %v, is nowhere: it would never fire", e.key, e.due)
		}
		if inWindow {
			seen++
		}
	}
	for _, l := range p.machine.lanes {
		seen -= len(l.window)
	}
	if seen != 0 {
		return fmt.Errorf("the windows hold %d entries that the index does not", -seen)
	}
	return nil
}
