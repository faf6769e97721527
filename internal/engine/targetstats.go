package engine

import (
	"context"
	"fmt"
	"time"

	"carillon/internal/engine/machine"
	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

// TargetStats are the figures of a target in the partitions that an engine owns.
type TargetStats struct {
	InFlight  int       // triggers from when they are read until their outcome is committed
	Overdue   int       // jobs that are due and not in flight
	Exact     bool      // Overdue is all of them; otherwise at least so many are overdue
	OldestDue time.Time // of them; zero if there is none
}

// TargetStats returns the figures of the targets, and how many partitions they are about. The loops
// of the partitions count in their next turn; one that has none within a second is left out. What
// is due and not in memory is read from the store, so that up to maxOverdue jobs of each target are
// counted.
func (e *Engine) TargetStats(
	ctx context.Context, targets []job.Target, maxOverdue int,
) (all []TargetStats, partitions int, err error) {
	all = make([]TargetStats, len(targets))
	for i := range all {
		all[i].Exact = true
	}
	for _, lp := range e.loops {
		held, ok, err := ask(ctx, lp, func(now time.Time) loopTargets { return lp.targetStats(targets, now) })
		if err != nil {
			return nil, 0, err
		}
		if !ok {
			continue
		}
		partitions += held.partitions
		for i, m := range held.targets {
			if err := all[i].add(ctx, lp.store, m, held.at, maxOverdue); err != nil {
				return nil, 0, unavailable(ctx, fmt.Errorf("count the overdue jobs of %v: %w", targets[i], err))
			}
		}
	}
	return all, partitions, nil
}

// loopTargets is what a loop holds of some targets.
type loopTargets struct {
	at         time.Time
	partitions int
	targets    []machine.TargetCounts
}

// targetStats counts what the loop holds. Only the loop calls it.
func (lp *loop) targetStats(targets []job.Target, now time.Time) loopTargets {
	held := loopTargets{at: now, partitions: lp.machine.PartitionCount()}
	for _, t := range targets {
		held.targets = append(held.targets, lp.machine.CountTarget(t, now))
	}
	return held
}

// add adds what a loop holds, and what is due in the store beyond that, up to a limit.
func (s *TargetStats) add(ctx context.Context, st store.Store, m machine.TargetCounts, now time.Time, limit int) error {
	s.InFlight += m.InFlight
	s.Overdue += m.Due
	if !m.OldestDue.IsZero() && (s.OldestDue.IsZero() || m.OldestDue.Before(s.OldestDue)) {
		s.OldestDue = m.OldestDue
	}
	for _, u := range m.Unread {
		if s.Overdue >= limit {
			s.Exact = false
			return nil
		}
		n, oldest, more, err := countDue(ctx, st, u.After, now, limit-s.Overdue+u.InFlight)
		if err != nil {
			return err
		}
		s.Overdue += max(0, n-u.InFlight)
		s.Exact = s.Exact && !more
		if n > u.InFlight && (s.OldestDue.IsZero() || u.InFlight == 0 && oldest.Before(s.OldestDue)) {
			s.OldestDue = oldest // the window of the lane is empty
		}
	}
	return nil
}

// countDue counts the entries of a lane that follow one and are due at now, up to a limit, and
// returns the instant of the first of them.
func countDue(
	ctx context.Context, st store.Store, after record.Entry, now time.Time, limit int,
) (n int, oldest time.Time, more bool, err error) {
	for pair, err := range st.Scan(ctx, record.RangeAfter(after), limit+1) {
		if err != nil {
			return 0, time.Time{}, false, err
		}
		e, err := record.ParseDueKey(pair.Key)
		if err != nil {
			continue // the loop reports it when it reads it
		}
		if e.Due.After(now) {
			return n, oldest, false, nil
		}
		if n == limit {
			return n, oldest, true, nil
		}
		if n == 0 {
			oldest = e.Due
		}
		n++
	}
	return n, oldest, false, nil
}
