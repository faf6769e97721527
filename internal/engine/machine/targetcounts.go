package machine

import (
	"sort"
	"time"

	"carillon/internal/engine/record"
	"carillon/internal/job"
)

// TargetCounts are the figures of what a machine holds of one target.
type TargetCounts struct {
	InFlight  int         // triggers from Pick until their outcome is committed
	Due       int         // jobs in windows that are due and not in flight
	OldestDue time.Time   // of them; zero if there is none
	Unread    []UnreadDue // in lanes whose whole window is due
}

// An UnreadDue says that jobs of a lane may be due that only the index holds.
type UnreadDue struct {
	After    record.Entry // they follow it
	InFlight int          // how many of those that are due are in flight: the index still holds them
}

// PartitionCount returns for how many partitions the machine decides, without those that are
// stopped.
func (m *Machine) PartitionCount() int {
	n := 0
	for _, p := range m.partitions {
		if !p.stopped {
			n++
		}
	}
	return n
}

// CountTarget counts what the machine holds of a target.
func (m *Machine) CountTarget(t job.Target, now time.Time) TargetCounts {
	s := TargetCounts{InFlight: m.inFlight.HeldBy(t)}
	for id, p := range m.partitions {
		if l := m.lanes[record.LaneID{Partition: id, Target: t}]; l != nil && !p.stopped {
			m.addDue(&s, l, now)
		}
	}
	if s.InFlight > 0 && len(s.Unread) > 0 {
		m.countUnreadInFlight(t, s.Unread, now)
	}
	return s
}

// addDue adds the due jobs of a lane to s.
func (m *Machine) addDue(s *TargetCounts, l *Lane, now time.Time) {
	due := sort.Search(len(l.window), func(i int) bool { return l.window[i].Due.After(now) })
	for _, a := range l.window[:due] {
		if d := m.deliveries[a.Key]; d != nil && !d.Replaced {
			continue // it was read from the index again
		}
		s.Due++
		if s.OldestDue.IsZero() || a.Due.Before(s.OldestDue) {
			s.OldestDue = a.Due
		}
	}
	if l.more && due == len(l.window) && !l.cursor.Due.After(now) {
		s.Unread = append(s.Unread, UnreadDue{After: l.cursor})
	}
}

// countUnreadInFlight counts the deliveries of a target whose entries are unread.
func (m *Machine) countUnreadInFlight(t job.Target, unread []UnreadDue, now time.Time) {
	of := map[int]*UnreadDue{} // by partition
	for i := range unread {
		of[unread[i].After.Partition] = &unread[i]
	}
	for _, d := range m.deliveries {
		e := d.Attempt.Entry
		if u := of[e.Partition]; u != nil && e.Key.Target == t && !d.Replaced && !e.Due.After(now) && e.Compare(u.After) > 0 {
			u.InFlight++
		}
	}
}
