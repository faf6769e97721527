package machine

import (
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// A Stage says where a job that is due is on its way to a receiver.
type Stage uint8

const (
	// StageReady says that nothing holds the job: it fires when its turn comes.
	StageReady Stage = iota
	// StageInFlight says that a receiver has taken the trigger, and its outcome is not committed.
	StageInFlight
	// StageReplaced says that a trigger of the job is in flight that it had before it was replaced.
	StageReplaced
	// StageParked says that the receivers of the job's lane took nothing more.
	StageParked
	// StageThrottled says that the target has its share of triggers in flight.
	StageThrottled
	// StageQuota says that the namespace has used up its triggers per second.
	StageQuota
)

// A StageSince is the stage of a job that is due, and since when. It is valid for one moment.
type StageSince struct {
	Stage Stage
	Since time.Time // of the stage; zero if that is not known
}

// StageOf returns the stage of the job k, which is due in the given partition.
func (m *Machine) StageOf(partition int, k job.Key) StageSince {
	if d := m.deliveries[k]; d != nil {
		if d.Replaced {
			return StageSince{StageReplaced, d.SentAt}
		}
		return StageSince{StageInFlight, d.SentAt}
	}
	l := m.lanes[record.LaneID{Partition: partition, Target: k.Target}]
	switch {
	case l == nil:
		return StageSince{}
	case l.state == laneParked:
		return StageSince{StageParked, l.parkedAt}
	case l.state == laneThrottled:
		return StageSince{Stage: StageThrottled}
	case l.state == laneWaiting && l.notBefore.After(l.window[0].Due):
		return StageSince{Stage: StageQuota}
	default:
		return StageSince{}
	}
}
