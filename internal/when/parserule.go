package when

// ParseRule reads a schedule: six fields of a calendar rule with the seconds
// first, the descriptor of one (@hourly, @daily …), or "@every" and a Go
// duration. "TZ=<zone> " or "CRON_TZ=<zone> " before a calendar rule names the
// zone it is evaluated in; without it, and for an empty zone and Local, that is
// UTC. Every error is an *Error.
//
// It refuses what could never be due: a date no month has, a field without a
// value, a negative interval. An interval of zero is accepted; it needs a plan
// with repeats. A shorter one than MinInterval counts as MinInterval: new jobs cannot
// have one, but an older store may.
func ParseRule(s string) (Rule, error) {
	r, err := parseRule(s)
	if err != nil {
		return Rule{}, err
	}
	if r.tooFrequent() {
		r.every = MinInterval
	}
	return r, nil
}

// parseRule is parseSchedule, with help in the error.
func parseRule(s string) (Rule, error) {
	r, bad := parseSchedule(s)
	if bad != nil {
		return Rule{}, &Error{"schedule", bad.reason, helpSchedule(bad)}
	}
	return r, nil
}
