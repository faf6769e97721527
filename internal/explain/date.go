package explain

import (
	"slices"
	"time"

	"carillon/internal/when"
)

// dateWords returns the dates of a calendar rule in words, and whether they stand before the times
// of day, which they do if those are few: "every Monday at 09:00", but "every minute on Mondays". The
// text is empty for every day unless the times of day are few. ok is false if the dates need too
// many words.
func dateWords(v when.Values, few bool) (text string, first, ok bool) {
	months := ""
	if len(v.Months) < 12 {
		months = monthNames(v.Months)
	}
	in := ""
	if months != "" {
		in = " in " + months
	}
	switch dayFieldsOf(v) {
	case everyDay:
		switch {
		case few:
			return "every day" + in, true, true
		case months != "":
			return "in " + months, false, true
		}
		return "", false, true
	case weekdaysOnly:
		if few {
			return "every " + weekdayNames(v.Weekdays, "") + in, true, true
		}
		return "on " + weekdayNames(v.Weekdays, "s") + in, false, true
	case daysOnly:
		days, ok := dayNumbers(v.Days, months)
		return days, few, ok
	default: // either
		days, ok := dayNumbers(v.Days, months)
		return days + " as well as on " + weekdayNames(v.Weekdays, "s") + in, false, ok
	}
}

// dayNumbers returns days of the month in words. months are the months in words, empty for all.
func dayNumbers(days []int, months string) (text string, ok bool) {
	text, ok = selection("day", days, 31)
	if months == "" {
		months = "every month"
	}
	return "on " + text + " of " + months, ok
}

// monthNames returns months in words. There are never too many.
func monthNames(months []int) string {
	text, _ := terms(months, func(n int) string { return time.Month(n).String() })
	return text
}

// weekdayNames returns days of the week in words, each with that ending, from Monday on.
func weekdayNames(weekdays []int, ending string) string {
	if slices.Equal(weekdays, []int{1, 2, 3, 4, 5}) {
		return "weekday" + ending
	}
	var names []string
	for i := range 7 {
		if day := (i + 1) % 7; slices.Contains(weekdays, day) {
			names = append(names, time.Weekday(day).String()+ending)
		}
	}
	return list(names)
}
