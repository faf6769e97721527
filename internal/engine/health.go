package engine

import (
	"errors"
	"fmt"
)

// Health returns nil if jobs can be scheduled and fired in every partition that the engine should
// own. Otherwise the error names the partitions that make no progress, within five seconds of when
// they stopped, and says if the store refuses new jobs.
func (e *Engine) Health() error {
	var named error
	if err := e.storeFull(); err != nil {
		named = fmt.Errorf("new jobs are refused: %w", err)
	}
	for _, lp := range e.loops {
		if err := lp.watchdog.check(lp.wall()); err != nil {
			named = errors.Join(named, fmt.Errorf("partitions %s %w", lp, err))
		} else if missing := lp.inbox.notOwnedFor(lp.partitions, stuckAfter); len(missing) > 0 {
			named = errors.Join(named, fmt.Errorf("partitions %s are not loaded", formatRanges(missing)))
		}
	}
	return named
}

// Note describes in a line what is in quarantine, or "". That does not affect Health, because a
// restart would not help.
func (e *Engine) Note() string { return e.quarantine.Summary() }
