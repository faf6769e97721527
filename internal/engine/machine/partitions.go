package machine

import (
	"fmt"
	"slices"

	"carillon/internal/engine/record"
	"carillon/internal/store"
)

// AddPartition makes the machine decide for a partition. Its lanes are to be loaded next.
func (m *Machine) AddPartition(id int, f store.Fence) { m.partitions[id] = &partition{fence: f} }

// Load adds entries of one lane, read from the beginning of the lane in the due index. more says
// that others follow them.
func (m *Machine) Load(read []record.Entry, more bool) {
	l := m.lane(read[0].Lane())
	l.extend(read, more)
	m.updateLane(l)
}

// StopPartition stops the partition from firing. Outcomes of its deliveries are still recorded.
func (m *Machine) StopPartition(id int) {
	m.partitions[id].stopped = true
	of := func(l *Lane) bool { return l.id.Partition == id }
	for _, l := range m.lanes {
		if of(l) {
			m.dropLane(l)
		}
	}
	m.refills = slices.DeleteFunc(m.refills, of)
}

// RemovePartition ends the machine's decisions for a partition. Outcomes of its deliveries are
// ignored.
func (m *Machine) RemovePartition(id int) {
	delete(m.partitions, id)
	for _, d := range m.deliveries {
		if d.Attempt.Partition == id {
			d.Replaced, d.next = true, nil
		}
	}
}

// DeliveriesByPartition returns how many deliveries of each partition are in flight, without those
// whose outcome is ignored.
func (m *Machine) DeliveriesByPartition() map[int]int {
	counts := map[int]int{}
	for _, d := range m.deliveries {
		if !d.Replaced {
			counts[d.Attempt.Partition]++
		}
	}
	return counts
}

// addFence adds the proof that this node owns the partition to the batch, which writes to it.
func (m *Machine) addFence(id int) {
	p := m.partitions[id]
	if p == nil {
		panic(fmt.Sprintf("a write to partition %d, which is not owned", id))
	}
	if p.fence != (store.Fence{}) && !slices.Contains(m.Batch.Fences, p.fence) {
		m.Batch.Fences = append(m.Batch.Fences, p.fence)
	}
}
