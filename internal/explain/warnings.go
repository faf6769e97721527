package explain

import "time"

// Warnings returns warnings about s as of now, in the order of the codes above: none for most
// schedules, and a dozen at most. It looks one year ahead.
func (s Schedule) Warnings(now time.Time) []Warning {
	all := append(firstDueWarnings(s, now), frequencyWarnings(s.Plan)...)
	v, ok := s.Plan.Rule.Values()
	if !ok {
		return all
	}
	all = append(all, clockWarnings(s, v, now)...)
	all = append(all, dayWarnings(v)...)
	all = append(all, stepWarnings(v)...)
	return append(all, zoneWarnings(v.Zone, now)...)
}
