package explain_test

import (
	"slices"
	"time"

	"carillon/internal/when"
)

// meaning is what a rule means, in the plainest form: whether it matches each time of day and each
// date, or its interval. Two rules with one meaning are due at the same instants.
type meaning struct {
	interval bool
	every    time.Duration
	zone     string
	clock    clock
	dates    dates
}

// clock has a bit for each second of a day, by hour and minute.
type clock [24][60]uint64

// dates has a bit for each weekday on which a date matches, by month and day.
type dates [13][32]uint8

// meaningOf returns the meaning of a rule, straight from the definition of its fields.
func meaningOf(r when.Rule) *meaning {
	var m meaning
	if m.every, m.interval = r.Interval(); m.interval {
		return &m
	}
	v, _ := r.Values()
	m.zone = v.Zone.String()
	for _, hour := range v.Hours {
		for _, minute := range v.Minutes {
			for _, second := range v.Seconds {
				m.clock[hour][minute] |= 1 << second
			}
		}
	}
	weekdays := bits(v.Weekdays)
	for _, month := range v.Months {
		for day := 1; day <= 31; day++ {
			allowed := uint8(0)
			if slices.Contains(v.Days, day) {
				allowed = bits(span(0, 6))
			}
			if v.EitherDay {
				m.dates[month][day] = allowed | weekdays
			} else {
				m.dates[month][day] = allowed & weekdays
			}
		}
	}
	return &m
}

// bits returns a bit for each value.
func bits(values []int) (all uint8) {
	for _, n := range values {
		all |= 1 << n
	}
	return all
}
