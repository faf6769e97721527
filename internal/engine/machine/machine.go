package machine

import (
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/fair"
	"carillon/internal/job"
	"carillon/internal/store"
)

// quantum is how many triggers a target fires before the next target has its turn, and a lane
// before the next lane of its target.
const quantum = 16

// guaranteed is how many triggers a target may have in flight regardless of the others.
const guaranteed = 8

// A Machine decides for some partitions what is due and what follows. It is not safe for concurrent
// use.
type Machine struct {
	// Batch is what has to be committed before the decisions since the last commit may be seen.
	Batch store.Batch

	partitionCount int // into which all keys are divided
	partitions     map[int]*partition

	lanes         map[record.LaneID]*Lane
	waiting       laneHeap                       // lanes in state laneWaiting
	ready         *fair.Queue[job.Target, *Lane] // lanes in state laneReady
	throttled     map[job.Target][]*Lane         // lanes in state laneThrottled
	unparked      []record.LaneID                // no longer parked: nothing waits for their receivers
	refills       []*Lane                        // to be refilled before they go on
	windowEntries int                            // in all windows

	deliveries  map[job.Key]*Delivery  // in flight and without an outcome
	inFlight    *fair.Pool[job.Target] // triggers from Pick until their outcome is committed
	leastFree   int                    // the lowest free capacity of inFlight since resumeAll last ran
	lastNumber  uint64                 // of the last delivery
	rates       *fair.Rates[string]    // triggers per second of each namespace; nil if not limited
	quotaWaited int                    // triggers that waited for a quota, since TakeQuotaWaited
	picked      time.Time              // when Pick was called last

	ended    []*Delivery // since the last commit
	replaced []*Delivery // since the last commit
}

// A Config says what a machine may do.
type Config struct {
	Partitions  int                 // into which all keys are divided
	MaxInFlight int                 // triggers of all targets, beyond the few that each may always have
	Rates       *fair.Rates[string] // triggers per second of each namespace, shared with other machines; may be nil
}

// New returns a machine without partitions.
func New(c Config) *Machine {
	return &Machine{
		partitionCount: c.Partitions, partitions: map[int]*partition{}, lanes: map[record.LaneID]*Lane{},
		deliveries: map[job.Key]*Delivery{}, ready: fair.NewQueue[job.Target, *Lane](quantum),
		throttled: map[job.Target][]*Lane{}, inFlight: fair.NewPool[job.Target](c.MaxInFlight, guaranteed), rates: c.Rates,
	}
}

// Next returns when there is something to do; ok is false if there is nothing to wait for. The zero
// time means now.
func (m *Machine) Next() (at time.Time, ok bool) {
	if len(m.refills) > 0 {
		return time.Time{}, true
	}
	return m.NextDue()
}

// NextDue is Next without regard to windows that need a refill.
func (m *Machine) NextDue() (at time.Time, ok bool) {
	switch {
	case m.ready.Len() > 0:
		return time.Time{}, true
	case len(m.waiting) > 0:
		return m.waiting[0].wake, true
	default:
		return time.Time{}, false
	}
}

// Ended returns the deliveries that have ended since the last commit.
func (m *Machine) Ended() []*Delivery { return m.ended }
