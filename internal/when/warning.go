package when

import (
	"fmt"
	"slices"
	"time"
)

// A Warning is about a text that is valid, as it is in Dapr, but probably does
// not mean what its author intends.
type Warning struct {
	Field  string // to correct: due_time or ttl
	Wrong  string // what is wrong, and how to correct it
	Effect string // what the text means
	// Empty says that the text has no meaning at all, so that its effect is an
	// accident.
	Empty bool
}

// String returns the warning, in ASCII and in a few hundred bytes at most.
func (d Warning) String() string { return d.Wrong + "; as it is, " + d.Effect }

// Warnings returns warnings about w, if it is valid: [Words.TextWarnings], and one about a ttl that,
// as of now, ends before the job is first due, unless another warning explains that.
func (w Words) Warnings(now time.Time) []Warning {
	all := w.TextWarnings()
	if d, never := w.never(now); never && !slices.ContainsFunc(all, Warning.EmptiesTTL) {
		all = append(all, d)
	}
	return all
}

// TextWarnings returns warnings about ISO 8601 durations of w, which is valid, in which a number has
// no unit or one in lower case, because Dapr ignores those at the end.
func (w Words) TextWarnings() []Warning {
	var all []Warning
	if d, ok := warnDuration(w.DueTime, "due_time", "dueTime", "the job is due at once"); ok {
		all = append(all, d)
	}
	if d, ok := warnDuration(w.TTL, "ttl", "ttl", "the job ends as soon as it begins"); ok {
		all = append(all, d)
	}
	return all
}

// EmptiesTTL reports whether d explains why the job ends before it is first due.
func (d Warning) EmptiesTTL() bool { return d.Field == "ttl" && d.Empty }

const howToWrite = "units are upper-case letters behind whole numbers, as in P1D, PT5M or PT30S"

// warnDuration returns the warning about the text of a field, which has that
// name in the API of the user. empty is the effect of a text without meaning.
func warnDuration(text *string, field, name, empty string) (d Warning, ok bool) {
	if text == nil {
		return Warning{}, false
	}
	s, err := parseISODuration(*text)
	switch {
	case err != nil:
		return Warning{}, false
	case s.empty(*text):
		return Warning{field, fmt.Sprintf("%s %+.64q says nothing: %s", name, *text, howToWrite), empty, true}, true
	case s.ignored != "":
		return Warning{
			field, fmt.Sprintf("%s %+.64q ends in %+.64q, which says nothing: %s", name, *text, s.ignored, howToWrite),
			"that is ignored", false,
		}, true
	}
	return Warning{}, false
}

// never returns a warning if w, which is valid, ends before it is first due, as
// of now. It is about the ttl, because nothing else can cause that.
func (w Words) never(now time.Time) (d Warning, ok bool) {
	if w.TTL == nil {
		return Warning{}, false
	}
	p, err := w.Resolve(now)
	if err != nil {
		return Warning{}, false
	}
	if _, due := p.Next(0, time.Time{}); due {
		return Warning{}, false
	}
	wrong := fmt.Sprintf("ttl %+.64q ends at %s, before the job is first due, at %s: make it longer, or leave it out",
		*w.TTL, p.Until.Format(time.RFC3339), p.First.Format(time.RFC3339))
	return Warning{Field: "ttl", Wrong: wrong, Effect: "the job is not stored, and never runs"}, true
}
