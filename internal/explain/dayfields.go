package explain

import "carillon/internal/when"

// dayFields says which of the two day fields of a calendar rule restrict its dates.
type dayFields int

const (
	everyDay     dayFields = iota // neither
	daysOnly                      // a date matches if its day of the month does
	weekdaysOnly                  // a date matches if its weekday does
	eitherDay                     // a date matches if one of the two does
)

// dayFieldsOf returns which day fields of v restrict its dates. Of two that are both restricted, one
// may still allow every day, as in 1-31: then every date matches.
func dayFieldsOf(v when.Values) dayFields {
	allDays, allWeekdays := len(v.Days) == 31, len(v.Weekdays) == 7
	switch {
	case allDays && allWeekdays, v.EitherDay && (allDays || allWeekdays):
		return everyDay
	case v.EitherDay:
		return eitherDay
	case allWeekdays:
		return daysOnly
	}
	return weekdaysOnly
}
