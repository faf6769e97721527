package engine

import (
	"fmt"
	"slices"

	"carillon/internal/store"
)

// What a machine decides for, and the proof of it.

// An owned is a partition that the machine decides for.
type owned struct {
	fence   store.Fence
	leaving bool // nothing of it fires any more; what is out is settled yet
}

// own makes the partition the machine's. What is in its index is to be learned.
func (m *machine) own(partition int, f store.Fence) { m.owned[partition] = &owned{fence: f} }

// quit makes that nothing of the partition fires any more.
func (m *machine) quit(partition int) {
	m.owned[partition].leaving = true
	of := func(l *lane) bool { return l.id.Partition == partition }
	for _, l := range m.lanes {
		if of(l) {
			m.dropLane(l)
		}
	}
	m.dry = slices.DeleteFunc(m.dry, of)
}

// disown makes the partition another's. How what is out of it ends is not believed any more.
func (m *machine) disown(partition int) {
	delete(m.owned, partition)
	for _, d := range m.out {
		if d.entry.Partition == partition {
			d.replaced, d.next = true, nil
		}
	}
}

// touch adds the proof of owning the partition to the batch, which writes to it.
func (m *machine) touch(partition int) {
	o := m.owned[partition]
	if o == nil {
		panic(fmt.Sprintf("a write to partition %d, which is not owned", partition))
	}
	if o.fence != (store.Fence{}) && !slices.Contains(m.batch.Fences, o.fence) {
		m.batch.Fences = append(m.batch.Fences, o.fence)
	}
}
