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

// CompareDue orders entries of any lanes in due order: by instant, then by job. Jobs are ordered as
// the keys of their specs are.
func (e Entry) CompareDue(f Entry) int {
	if order := e.Due.Compare(f.Due); order != 0 {
		return order
	}
	return CompareJobs(e.Key, f.Key)
}

// CompareJobs orders jobs as the keys of their specs are ordered.
func CompareJobs(a, b job.Key) int {
	return cmp.Or(CompareTargets(a.Target, b.Target), cmp.Compare(a.ActorID, b.ActorID), cmp.Compare(a.Name, b.Name))
}

// CompareTargets orders targets as they are ordered in keys.
func CompareTargets(a, b job.Target) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// A LaneID names a lane: the jobs of one target in one partition. They are adjacent in the due
// index.
type LaneID struct {
	Partition int
	Target    job.Target
}
