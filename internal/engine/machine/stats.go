package machine

import (
	"time"

	"carillon/internal/when"
)

// Stats are the figures of what a machine holds.
type Stats struct {
	Lanes     int
	Parked    int     // lanes that wait for their receivers
	Throttled int     // lanes whose target has its share of triggers in flight
	Entries   int     // in all windows
	Due       int     // of them
	Out       int     // deliveries in flight that have no outcome yet
	InFlight  int     // triggers from Pick until their outcome is committed
	Limit     int     // most InFlight, without the few that each target may always have
	Oldest    float64 // how long the first of the due jobs has waited, in seconds
}

// Stats counts what the machine holds.
func (m *Machine) Stats(now time.Time) Stats {
	s := Stats{Lanes: len(m.lanes), Out: len(m.deliveries), InFlight: m.inFlight.Held(), Limit: m.inFlight.Limit()}
	for _, l := range m.lanes {
		s.Entries += len(l.window)
		switch l.state {
		case laneParked:
			s.Parked++
		case laneThrottled:
			s.Throttled++
		case laneIdle, laneWaiting, laneReady:
		}
		for _, a := range l.window {
			if a.Due.After(now) {
				break
			}
			s.Due++
			s.Oldest = max(s.Oldest, when.Seconds(a.Due, now))
		}
	}
	return s
}

// InFlight returns how many triggers are in flight: from Pick until their outcome is committed.
func (m *Machine) InFlight() int { return m.inFlight.Held() }

// Add adds the figures of another machine.
func (s *Stats) Add(t Stats) {
	s.Lanes += t.Lanes
	s.Parked += t.Parked
	s.Throttled += t.Throttled
	s.Entries += t.Entries
	s.Due += t.Due
	s.Out += t.Out
	s.InFlight += t.InFlight
	s.Limit += t.Limit
	s.Oldest = max(s.Oldest, t.Oldest)
}
