package engine

import (
	"context"
	"time"

	"carillon/internal/engine/machine"
	"carillon/internal/job"
)

// A Holdup says why a job that is due is not with a receiver, or that it is.
type Holdup uint8

// The reasons, of which the first that applies counts. Nodes send one another their numbers, which
// must not change.
const (
	// HoldupNone says that nothing holds the job: it fires when its turn comes.
	HoldupNone Holdup = 0
	// HoldupInFlight says that a receiver has the trigger.
	HoldupInFlight Holdup = 1
	// HoldupReplaced says that a trigger is in flight that the job had before it was replaced.
	HoldupReplaced Holdup = 2
	// HoldupParked says that the receivers of the job's target take nothing more.
	HoldupParked Holdup = 3
	// HoldupNoReceiver says that the target has no receiver. The engine itself reports
	// HoldupParked.
	HoldupNoReceiver Holdup = 4
	// HoldupThrottled says that the target has its share of triggers in flight.
	HoldupThrottled Holdup = 5
	// HoldupQuota says that the namespace has used up its triggers per second.
	HoldupQuota Holdup = 6
	// HoldupStoreFull says that the store takes nothing but deletions, and no more is fired.
	HoldupStoreFull Holdup = 7
	// HoldupNotOwner says that the engine does not own the partition.
	HoldupNotOwner Holdup = 8
	// HoldupLoading says that the partition is being claimed and loaded.
	HoldupLoading Holdup = 9
	// HoldupUnreachable says that the node that owns the partition does not answer.
	HoldupUnreachable Holdup = 10
	// HoldupStuck says that the loop of the partition has had no turn for a second.
	HoldupStuck Holdup = 11
	// HoldupConcurrency says that a concurrency limit of the actor type, or of the job's
	// concurrency key, is reached. The engine itself reports HoldupInFlight.
	HoldupConcurrency Holdup = 12
)

// A DueProgress is how far a job that is due has got. It is valid for one moment.
type DueProgress struct {
	Holdup    Holdup
	Since     time.Time // zero if that is not known
	StoreFull bool      // the store takes nothing but deletions, whatever else holds the job
	Receivers Receivers
}

// Progress returns how far each of the jobs has got, which are due. The loops of their partitions
// answer in their next turn; a loop that has none within a second is stuck. Of a job that is not due
// they say what would hold it now.
func (e *Engine) Progress(ctx context.Context, keys []job.Key) ([]DueProgress, error) {
	all := make([]DueProgress, len(keys))
	type share struct{ indices, partitions []int }
	shares := map[*loop]*share{}
	for i, k := range keys {
		p := e.Partition(k)
		lp := e.loopOf[p]
		switch lp.inbox.stateOf(p) {
		case partitionOwned:
			if shares[lp] == nil {
				shares[lp] = new(share)
			}
			shares[lp].indices, shares[lp].partitions = append(shares[lp].indices, i), append(shares[lp].partitions, p)
		case partitionReleased, partitionUnknown:
			all[i].Holdup = HoldupNotOwner
		case partitionLoading:
			all[i].Holdup = HoldupLoading
		}
	}
	for lp, s := range shares {
		of := make([]job.Key, len(s.indices))
		for n, i := range s.indices {
			of[n] = keys[i]
		}
		answers, err := lp.askProgress(ctx, s.partitions, of)
		if err != nil {
			return nil, err
		}
		for n, i := range s.indices {
			all[i] = answers[n]
		}
	}
	return all, nil
}

// askProgress asks the loop about jobs of its partitions, and waits for its turn.
func (lp *loop) askProgress(ctx context.Context, partitions []int, keys []job.Key) ([]DueProgress, error) {
	all, ok, err := ask(ctx, lp, func(time.Time) []DueProgress { return lp.progress(partitions, keys) })
	if !ok && err == nil {
		all = make([]DueProgress, len(keys))
		for i := range all {
			all[i].Holdup = HoldupStuck
		}
	}
	return all, err
}

// progress returns how far jobs of these partitions have got. The loop calls it.
func (lp *loop) progress(partitions []int, keys []job.Key) []DueProgress {
	all := make([]DueProgress, len(keys))
	for i, k := range keys {
		at := lp.machine.StageOf(partitions[i], k)
		all[i] = DueProgress{Holdup: holdupOf(at.Stage), Since: at.Since, StoreFull: lp.degraded.backlogFull}
		if at.Stage == machine.StageReady && lp.degraded.backlogFull {
			all[i].Holdup = HoldupStoreFull
		}
	}
	return all
}

// holdupOf returns the reason for a stage of the machine.
func holdupOf(s machine.Stage) Holdup {
	switch s {
	case machine.StageInFlight:
		return HoldupInFlight
	case machine.StageReplaced:
		return HoldupReplaced
	case machine.StageParked:
		return HoldupParked
	case machine.StageThrottled:
		return HoldupThrottled
	case machine.StageQuota:
		return HoldupQuota
	case machine.StageReady:
	}
	return HoldupNone
}

// stateOf returns the state of a partition.
func (i *inbox) stateOf(partition int) partitionState {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.partitions[partition].state
}
