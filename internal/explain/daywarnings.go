package explain

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"carillon/internal/when"
)

// dayWarnings returns warnings about the two day fields of a calendar rule.
func dayWarnings(v when.Values) (all []Warning) {
	if day, ok := rareDay(v.Days); ok {
		if months := monthsWithout(day, v.Months); months != "" {
			all = append(all, Warning{DaySkipsMonths, fmt.Sprintf(
				"there is no day %d in %s: the schedule skips it there", day, months)})
		}
	}
	if !v.EitherDay {
		return all
	}
	if dayFieldsOf(v) == everyDay {
		return append(all, Warning{EitherDayMatches, "both day fields are restricted, and one is enough: " +
			"because one of them allows every day, the job is due every day"})
	}
	days := "the days of the month"
	if numbers, ok := terms(v.Days, strconv.Itoa); ok {
		days = "day " + numbers
	}
	return append(all, Warning{EitherDayMatches, fmt.Sprintf("both day fields are restricted, and one is enough: "+
		"the job is due on %s as well as on %s, not only where both match", days, weekdayNames(v.Weekdays, "s"))})
}

// rareDay returns the last of days. ok is false unless its range begins with day 29 or later: 15-31
// means the rest of the month, and surprises nobody.
func rareDay(days []int) (day int, ok bool) {
	day = days[len(days)-1]
	first := day
	for slices.Contains(days, first-1) {
		first--
	}
	return day, first >= 29
}

// monthsWithout returns those of the months in words that have no such day. It is empty if all have
// it.
func monthsWithout(day int, months []int) string {
	const commonYear = 2027
	var without []int
	for _, month := range months {
		if time.Date(commonYear, time.Month(month), day, 0, 0, 0, 0, time.UTC).Month() != time.Month(month) {
			without = append(without, month)
		}
	}
	switch {
	case len(without) == 0:
		return ""
	case day == 29:
		return "February except in leap years"
	}
	return monthNames(without)
}
