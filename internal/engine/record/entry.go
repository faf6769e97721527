package record

import (
	"cmp"
	"time"

	"carillon/internal/job"
)

// An Entry is one entry of the due index: a job, its partition, and when its next attempt is owed.
type Entry struct {
	Due       time.Time
	Key       job.Key
	Partition int
}

// Lane returns the lane of e.
func (e Entry) Lane() LaneID { return LaneID{e.Partition, e.Key.Target} }

// At returns the entry of the same job at another instant.
func (e Entry) At(due time.Time) Entry {
	e.Due = due
	return e
}

// Compare orders entries of one lane as their keys in the store are ordered.
func (e Entry) Compare(f Entry) int {
	return cmp.Or(e.Due.Compare(f.Due), cmp.Compare(e.Key.ActorID, f.Key.ActorID), cmp.Compare(e.Key.Name, f.Key.Name))
}

// A LaneID names a lane: the jobs of one target in one partition. They are adjacent in the due
// index.
type LaneID struct {
	Partition int
	Target    job.Target
}
