package engine

import (
	"slices"
	"time"
)

// beginOwnership has the loop begin o. If the loop has ended, o is released.
func (i *inbox) beginOwnership(o *ownership) {
	i.update(func() {
		if i.closed {
			close(o.released)
		} else {
			i.changes = append(i.changes, ownershipChange{ownership: o})
		}
	})
}

// endOwnership has the loop end o. From now on commands about its partition are refused.
func (i *inbox) endOwnership(o *ownership) {
	i.setReleased(o.partition)
	i.update(func() {
		begin := slices.Index(i.changes, ownershipChange{ownership: o})
		switch {
		case begin >= 0: // it has not begun
			i.changes = slices.Delete(i.changes, begin, begin+1)
			close(o.released)
		case !i.closed:
			i.changes = append(i.changes, ownershipChange{ownership: o, release: true})
		}
	})
}

// setLoading says that a partition is being claimed and loaded.
func (i *inbox) setLoading(partition int) {
	i.setState(partition, partitionLoading, partitionUnknown, partitionReleased)
}

// setOwned says that the loop owns a partition, unless it was released meanwhile.
func (i *inbox) setOwned(partition int) { i.setState(partition, partitionOwned, partitionLoading) }

// setLost says that a partition has to be claimed and loaded again, unless it was released
// meanwhile.
func (i *inbox) setLost(partition int) { i.setState(partition, partitionLoading, partitionOwned) }

// setReleased says that a partition is another node's.
func (i *inbox) setReleased(partition int) {
	i.setState(partition, partitionReleased, partitionUnknown, partitionLoading, partitionOwned)
}

// setState changes the state of a partition, if it was one of from, and moves its commands
// accordingly.
func (i *inbox) setState(partition int, to partitionState, from ...partitionState) {
	i.update(func() {
		was := i.partitions[partition].state
		if !slices.Contains(from, was) {
			return
		}
		now := partitionStatus{state: to}
		if was != partitionUnknown {
			now.since = time.Now()
		}
		i.partitions[partition] = now
		i.requeueWaiting()
	})
}

// isOwned reports whether the loop owns the partition.
func (i *inbox) isOwned(partition int) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.partitions[partition].state == partitionOwned
}

// notOwnedFor returns which of the partitions have been loading for longer than d, or since the
// start.
func (i *inbox) notOwnedFor(partitions []int, d time.Duration) []int {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []int
	for _, p := range partitions {
		if s := i.partitions[p]; s.state == partitionLoading && (s.since.IsZero() || time.Since(s.since) > d) {
			all = append(all, p)
		}
	}
	return all
}
