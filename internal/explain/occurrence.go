package explain

import "time"

// MaxUpcoming is how many occurrences [Schedule.Upcoming] returns at most.
const MaxUpcoming = 1000

// An Occurrence is one instant at which a schedule is due.
type Occurrence struct {
	// Due is the instant, in UTC.
	Due time.Time
	// Local is the same instant on the wall clock of the schedule's zone, with its offset from UTC.
	// A schedule without a zone has the wall clock of UTC.
	Local time.Time
	// Notes say how clock changes affect the occurrence; usually none, and at most [MaxClockNotes].
	Notes []ClockNote
}

// Upcoming returns the next occurrences of s: at most n, at most [MaxUpcoming], and fewer if the
// schedule ends.
//
// settled is how many occurrences are over, and last is the instant of the last one. While settled
// is 0, last is the present or the zero time; it only decides which clock changes before the first
// occurrence have notes.
//
// The work grows with n and with the number of clock changes between occurrences.
func (s Schedule) Upcoming(settled uint32, last time.Time, n int) []Occurrence {
	v, calendar := s.Plan.Rule.Values()
	var all []Occurrence
	for len(all) < min(n, MaxUpcoming) {
		due, ok := s.Plan.Next(settled, last)
		if !ok {
			break
		}
		o := Occurrence{Due: due, Local: due}
		if calendar {
			o.Local = due.In(v.Zone)
			if settled == 0 && last.IsZero() {
				last = due
			}
			if settled > 0 || !s.HasDueTime { // a due time is an instant, and not of the rule
				o.Notes = notes(s.Plan.Rule, v, last, due)
			}
		}
		all = append(all, o)
		last, settled = due, max(settled, settled+1) // it stays at its maximum
	}
	return all
}
