package engine

import "time"

// Stats are the figures of an engine at one moment.
type Stats struct {
	Owned, Loading int // partitions
	InFlight       int // triggers from when they are read until their outcome is committed
	MaxInFlight    int // apart from the few that each target may always have
	Overloaded     bool
	Full           bool // new jobs are refused

	Commits              int // the last ones, which the times are about
	CommitP50, CommitP99 time.Duration
}

// Stats returns the figures of the engine. The loops count in their next turn; what a loop holds
// that has none within a second is not counted, and Health says why.
func (e *Engine) Stats() Stats {
	all := collectStats(e.loops)
	s := Stats{
		InFlight: all.InFlight, MaxInFlight: all.Limit, Overloaded: all.overloaded > 0, Full: e.storeFull() != nil,
	}
	for p, lp := range e.loopOf {
		switch lp.inbox.stateOf(p) {
		case partitionOwned:
			s.Owned++
		case partitionLoading:
			s.Loading++
		case partitionUnknown, partitionReleased:
		}
	}
	s.Commits, s.CommitP50, s.CommitP99 = e.metrics.lastCommits.quantiles()
	return s
}
