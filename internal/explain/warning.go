package explain

// A Warning is about a schedule that is valid, but may surprise its author.
type Warning struct {
	Code WarningCode
	// Sentence says to a person what happens, with the dates and values concerned. It is in ASCII
	// if the name of the zone is, and shorter than a kilobyte unless that name is long.
	Sentence string
}

// A WarningCode is a constant of this package.
type WarningCode string

const (
	// NeverDue means that the job is never due.
	NeverDue WarningCode = "never-due"
	// EndsBeforeFirst means that the job is never due, because its ttl ends before.
	EndsBeforeFirst WarningCode = "ends-before-first"
	// DueInPast means that the due time has passed.
	DueInPast WarningCode = "due-in-past"
	// DueInOverAYear means that the job is first due in more than a year.
	DueInOverAYear WarningCode = "due-in-over-a-year"
	// OverOnceASecond means that the job is due more often than once a second.
	OverOnceASecond WarningCode = "over-once-a-second"
	// ClockSkips means that the clock goes forward past times of the schedule within a year.
	ClockSkips WarningCode = "clock-skips"
	// ClockRepeats means that the clock shows times of the schedule twice within a year.
	ClockRepeats WarningCode = "clock-repeats"
	// DaySkipsMonths means that some months do not have a day that the schedule names.
	DaySkipsMonths WarningCode = "day-skips-months"
	// EitherDayMatches means that both day fields are restricted, so that one of them is enough.
	EitherDayMatches WarningCode = "either-day-matches"
	// UnevenStep means that a step does not divide the values of its field.
	UnevenStep WarningCode = "uneven-step"
	// UnusualZoneName means that the zone has an old name, an abbreviation or an inverted offset.
	UnusualZoneName WarningCode = "unusual-zone-name"
)
