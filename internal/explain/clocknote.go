package explain

import (
	"time"

	"carillon/internal/when"
)

// MaxClockNotes is how many notes an occurrence has at most.
const MaxClockNotes = 4

// A ClockNote says how a clock change affects one occurrence.
type ClockNote struct {
	Kind ClockNoteKind
	// Sentence says it to a person: zone, date and times.
	Sentence string
}

// A ClockNoteKind is a constant of this package.
type ClockNoteKind string

const (
	// ClockChanged means that the offset from UTC is another than at the occurrence before.
	ClockChanged ClockNoteKind = "clock-changed"
	// Skipped means that occurrences between the one before and this one are skipped, because the
	// clock goes forward past them.
	Skipped ClockNoteKind = "skipped"
	// Repeated means that the clock shows the time of this occurrence twice, and that it is due
	// both times.
	Repeated ClockNoteKind = "repeated"
)

// notes returns the notes about an occurrence of a calendar rule, after the one before it.
func notes(r when.Rule, v when.Values, last, due time.Time) []ClockNote {
	all := append(changeNotes(r, v, last, due), repeatNotes(r, v, due)...)
	return all[:min(len(all), MaxClockNotes)]
}

// changeNotes returns notes about the clock changes between two occurrences.
func changeNotes(r when.Rule, v when.Values, last, due time.Time) (all []ClockNote) {
	var latest when.ClockChange
	for c := range clockChanges(v.Zone, last, due) {
		latest = c
		if e, ok := effectOf(r, v, c); ok && e.skips() && len(all) < MaxClockNotes {
			all = append(all, ClockNote{Skipped, e.sentence()})
		}
	}
	_, before := last.In(v.Zone).Zone()
	_, after := due.In(v.Zone).Zone()
	if before != after {
		all = append([]ClockNote{{ClockChanged, turn(v.Zone, latest)}}, all...)
	}
	return all
}

// repeatNotes returns a note if the clock shows the time of an occurrence twice.
func repeatNotes(r when.Rule, v when.Values, due time.Time) (all []ClockNote) {
	const reach = 26 * time.Hour // more than any clock goes back
	for c := range clockChanges(v.Zone, due.Add(-reach), due.Add(reach)) {
		e, ok := effectOf(r, v, c)
		if !ok {
			continue
		}
		text := turn(v.Zone, c)
		switch e.showing(due) {
		case 1:
			all = append(all, ClockNote{Repeated, text + ": this occurrence is the first of two at this time"})
		case 2:
			all = append(all, ClockNote{Repeated, text + ": this occurrence is the second of two at this time"})
		}
	}
	return all
}
