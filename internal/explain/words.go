package explain

import (
	"fmt"
	"strings"
	"time"

	"carillon/internal/when"
)

// Words returns s in words, such as "every weekday at 09:00, Europe/Berlin". Instants are in UTC,
// wall-clock times in the zone of the schedule. A calendar rule that needs too many words is
// "custom" and its six fields. The result has less than a kilobyte, unless the name of the zone is
// long.
func (s Schedule) Words() string {
	p := s.Plan
	if p.Rule.IsZero() {
		return "once at " + instant(p.First)
	}
	var parts []string
	recurrence := ruleWords(p.Rule)
	if s.HasDueTime {
		parts = append(parts, "first at "+instant(p.First))
		recurrence = "then " + recurrence
	}
	parts = append(parts, recurrence)
	switch p.Repeats {
	case 0:
	case 1:
		parts = append(parts, "1 time")
	default:
		parts = append(parts, fmt.Sprintf("%d times", p.Repeats))
	}
	if !p.Until.IsZero() {
		parts = append(parts, "until "+instant(p.Until))
	}
	return strings.Join(parts, ", ")
}

// ruleWords returns a rule in words, with its zone if it has one.
func ruleWords(r when.Rule) string {
	if every, ok := r.Interval(); ok {
		if every == 0 {
			return "at the same instant again"
		}
		return "every " + durationWords(every)
	}
	v, _ := r.Values()
	if text, ok := calendarWords(v); ok {
		return text + ", " + v.Zone.String()
	}
	return "custom: " + expression(v)
}

// calendarWords returns a calendar rule in words, without its zone. ok is false if it would need too
// many.
func calendarWords(v when.Values) (text string, ok bool) {
	clock, few, ok := clockWords(v)
	if !ok {
		return "", false
	}
	date, first, ok := dateWords(v, few)
	switch {
	case !ok:
		return "", false
	case date == "":
		return clock, true
	case first:
		return date + " " + clock, true
	}
	return clock + " " + date, true
}

// instant returns t as words, in UTC. Seconds are only there if they are not zero.
func instant(t time.Time) string {
	t = t.UTC()
	if t.Second() == 0 && t.Nanosecond() == 0 {
		return t.Format("2006-01-02 15:04 UTC")
	}
	return t.Format("2006-01-02 15:04:05.999999999 UTC")
}
