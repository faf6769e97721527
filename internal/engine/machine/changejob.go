package machine

import (
	"fmt"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// Schedule stores spec, whose encoding is given, as the job k in place of old.
func (m *Machine) Schedule(k job.Key, spec *job.Spec, encoded []byte, overwrite bool, old Stored) error {
	if !overwrite && old.Spec != nil {
		return fmt.Errorf("%w: '%s'", job.ErrExists, k)
	}
	if !overwrite && old.Err != nil {
		return old.Err
	}
	first, ok := spec.Plan.Next(0, time.Time{})
	if !ok { // it expires before its first occurrence
		m.Remove(k, old)
		return nil
	}
	e := m.entry(k, first)
	m.addFence(e.Partition)
	m.Batch.Put(record.JobKey(k), encoded)
	if old.HasState || old.Err != nil {
		m.Batch.Delete(record.StateKey(k))
	}
	m.deleteStrays(old.Strays, e)
	// A job may have been due before it was scheduled. Only the time since then is lateness.
	a := Attempt{Entry: e}.delayedBy(blockedTime{e.Due, m.picked})
	if old.Spec == nil {
		m.replace(k, record.Entry{})
		m.Batch.Put(record.DueKey(e), nil)
		m.insert(a)
		return nil
	}
	before := e.At(old.Due())
	m.replace(k, before)
	m.moveEntry(before, a)
	return nil
}

// Remove deletes the job k, which is old, if there is one.
func (m *Machine) Remove(k job.Key, old Stored) {
	if old.Err != nil {
		m.replace(k, record.Entry{})
		m.addFence(record.PartitionOf(k, m.partitionCount))
		m.deleteStrays(old.Strays, record.Entry{})
		m.Batch.Delete(record.JobKey(k))
		m.Batch.Delete(record.StateKey(k))
		return
	}
	if old.Spec == nil {
		return
	}
	e := m.entry(k, old.Due())
	m.replace(k, e)
	m.deleteJob(e, old.HasState)
}

// Rewrite writes the spec of k again, unchanged, so that the current encryption key seals it.
func (m *Machine) Rewrite(k job.Key, old Stored) error {
	if old.Spec == nil { // it has gone, or cannot be read
		return old.Err
	}
	m.addFence(record.PartitionOf(k, m.partitionCount))
	m.Batch.Put(record.JobKey(k), record.EncodeSpec(k, old.Spec))
	return nil
}

// replace makes the outcome of k's delivery in flight be ignored. Until now the job's entry was e.
func (m *Machine) replace(k job.Key, e record.Entry) {
	d := m.deliveries[k]
	if d == nil {
		return
	}
	if !d.Replaced {
		m.replaced = append(m.replaced, d)
	}
	d.Replaced = true
	if d.next != nil && d.next.Compare(e) == 0 {
		d.next = nil
	}
}

// entry returns the entry of k in the due index if it is owed at due.
func (m *Machine) entry(k job.Key, due time.Time) record.Entry {
	return record.Entry{Due: due, Key: k, Partition: record.PartitionOf(k, m.partitionCount)}
}

// deleteJob deletes the job at e from the store and from its lane.
func (m *Machine) deleteJob(e record.Entry, hasState bool) {
	m.addFence(e.Partition)
	m.Batch.Delete(record.JobKey(e.Key))
	if hasState {
		m.Batch.Delete(record.StateKey(e.Key))
	}
	m.Batch.Delete(record.DueKey(e))
	m.removeEntry(e)
}

// moveEntry moves a job in the due index and in its lane.
func (m *Machine) moveEntry(from record.Entry, to Attempt) {
	if !from.Due.Equal(to.Due) {
		m.Batch.Delete(record.DueKey(from))
		m.Batch.Put(record.DueKey(to.Entry), nil)
		m.removeEntry(from)
	}
	m.insert(to)
}

// deleteStrays deletes entries of a job that could not be read, except the one that is written.
func (m *Machine) deleteStrays(strays []record.Entry, written record.Entry) {
	for _, e := range strays {
		m.removeEntry(e)
		if e.Compare(written) != 0 {
			m.Batch.Delete(record.DueKey(e))
		}
	}
}
