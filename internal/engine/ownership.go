package engine

import (
	"context"
	"fmt"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
	"carillon/internal/store"
)

// ErrNotOwner says that another node owns the job's partition, or none does. Nothing was done.
var ErrNotOwner = fmt.Errorf("another node owns the job's partition: %w", job.ErrUnavailable)

// A Claim is the right to own one partition. It is safe for concurrent use.
type Claim interface {
	// Fence makes this node the owner and returns the proof. Each call returns a new proof; writes
	// with an earlier one that are still in progress cannot be applied any more.
	Fence(ctx context.Context) (store.Fence, error)
	// Alive reports whether this node is guaranteed to still own the partition. It is quick.
	Alive() bool
}

// A soleClaim is the claim of an engine that does not share its store.
type soleClaim struct{}

func (soleClaim) Fence(ctx context.Context) (store.Fence, error) { return store.Fence{}, ctx.Err() }
func (soleClaim) Alive() bool                                    { return true }

// An ownership is a time in which a loop owns a partition. Its mutable fields belong to the loop.
type ownership struct {
	partition int
	fence     store.Fence
	claim     Claim
	heads     []laneHead    // what was loaded; nil once the machine has it
	releaseAt time.Duration // of the loop's elapsed time, at the latest; zero unless it is to be released
	released  chan struct{} // closed when the loop has released or lost the partition
}

// A laneHead is the beginning of a lane in the due index.
type laneHead struct {
	entries []record.Entry
	more    bool // entries follow
}

// An ownershipChange begins or ends an ownership.
type ownershipChange struct {
	ownership *ownership
	release   bool
}

// A partitionState is what an inbox does with commands about a partition.
type partitionState uint8

const (
	partitionUnknown  partitionState = iota // not heard of yet: commands wait
	partitionLoading                        // being claimed and loaded: commands wait
	partitionOwned                          // commands are carried out
	partitionReleased                       // another node's: commands are refused
)

// A partitionStatus is the state of a partition, and since when.
type partitionStatus struct {
	state partitionState
	since time.Time // zero before the first change
}
