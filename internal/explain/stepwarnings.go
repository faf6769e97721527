package explain

import (
	"fmt"

	"carillon/internal/when"
)

// stepWarnings returns a warning for each field whose step does not divide its values, so that the
// last distance before it restarts is another: */7 minutes restart in each hour.
func stepWarnings(v when.Values) (all []Warning) {
	fields := []struct {
		unit, whole string
		values      []int
		least, most int
		restarts    bool // the next larger unit may follow itself
	}{
		{"second", "minute", v.Seconds, 0, 59, len(v.Minutes) > 1},
		{"minute", "hour", v.Minutes, 0, 59, len(v.Hours) > 1},
		{"hour", "day", v.Hours, 0, 23, true},
		{"day", "month", v.Days, 1, 31, true},
		{"month", "year", v.Months, 1, 12, true},
	}
	for _, f := range fields {
		step, ok := uneven(f.values, f.least, f.most, f.unit == "second" || f.unit == "minute")
		if !ok || !f.restarts {
			continue
		}
		all = append(all, Warning{UnevenStep, fmt.Sprintf(
			"the step of %d %ss starts again at %s %d in each %s, after %s %d: not all distances are %d %ss",
			step, f.unit, f.unit, f.values[0], f.whole, f.unit, f.values[len(f.values)-1], step, f.unit)})
	}
	return all
}

// uneven returns the step of values that a step makes, from its first value to the end of its field,
// if the distance from the last value to the first one differs. Two values are likely to be a list,
// except that pairs from 0 are a step if pairs is set, as in */45.
func uneven(values []int, least, most int, pairs bool) (step int, ok bool) {
	if len(values) < 2 || len(values) == 2 && (!pairs || values[0] != 0) {
		return 0, false
	}
	first, last := values[0], values[len(values)-1]
	step = values[1] - first
	made := step > 1 && evenly(values, step) && first-least < step && last+step > most
	return step, made && first+most-least+1-last != step
}
