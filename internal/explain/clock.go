package explain

import (
	"fmt"

	"carillon/internal/when"
)

// maxClockTimes is how many times of day are listed one by one.
const maxClockTimes = 6

// clockWords returns the times of day of a calendar rule in words. few says that they are a list of
// clock times, such as "at 09:00 and 17:00". ok is false if they need too many words.
func clockWords(v when.Values) (text string, few, ok bool) {
	if len(v.Seconds)*len(v.Minutes)*len(v.Hours) <= maxClockTimes {
		return "at " + clockTimes(v), true, true
	}
	if text, ok := stepWords(v); ok {
		return text, false, true
	}
	text, ok = fieldWords(v)
	return text, false, ok
}

// clockTimes returns all times of day of a calendar rule.
func clockTimes(v when.Values) string {
	var all []string
	for _, h := range v.Hours {
		for _, m := range v.Minutes {
			for _, s := range v.Seconds {
				all = append(all, clockTime(h, m, s, !zero(v.Seconds)))
			}
		}
	}
	return list(all)
}

func clockTime(h, m, s int, seconds bool) string {
	if seconds {
		return fmt.Sprintf("%02d:%02d:%02d", h, m, s)
	}
	return fmt.Sprintf("%02d:%02d", h, m)
}

func zero(values []int) bool { return len(values) == 1 && values[0] == 0 }

// stepWords returns times of day at one distance, such as "every 5 minutes from 08:00 to 17:55". ok
// is false if they are not at one distance from the first minute of some hours on.
func stepWords(v when.Values) (text string, ok bool) {
	const sixty = 60
	unit, values, seconds := "minute", v.Minutes, false
	if len(v.Minutes) == sixty && !zero(v.Seconds) {
		unit, values, seconds = "second", v.Seconds, true
	} else if !zero(v.Seconds) {
		return "", false
	}
	step := sixty / len(values)
	if len(values) < 3 || values[0] != 0 || !evenly(values, step) || step*len(values) != sixty {
		return "", false
	}
	text = "every " + unit
	if step > 1 {
		text = fmt.Sprintf("every %d %ss", step, unit)
	}
	first, last := v.Hours[0], v.Hours[len(v.Hours)-1]
	switch {
	case len(v.Hours) == 24 && step > 1:
		return text + " by the clock", true
	case len(v.Hours) == 24:
		return text, true
	case !evenly(v.Hours, 1):
		return "", false
	}
	end := clockTime(last, values[len(values)-1], 0, false)
	if seconds {
		end = clockTime(last, sixty-1, values[len(values)-1], true)
	}
	return fmt.Sprintf("%s from %s to %s", text, clockTime(first, 0, 0, seconds), end), true
}

// fieldWords returns times of day field by field, such as "at minute 0 and 30 of every hour from 8
// to 17". ok is false if a field needs too many words.
func fieldWords(v when.Values) (text string, ok bool) {
	hours, ok := selection("hour", v.Hours, 24)
	if !ok {
		return "", false
	}
	minutes, ok := selection("minute", v.Minutes, 60)
	if !ok {
		return "", false
	}
	text = minutes + " of " + hours
	at := len(v.Minutes) < 60
	if !zero(v.Seconds) {
		seconds, ok := selection("second", v.Seconds, 60)
		if !ok {
			return "", false
		}
		text, at = seconds+" of "+text, len(v.Seconds) < 60
	}
	if at {
		text = "at " + text
	}
	return text, true
}
