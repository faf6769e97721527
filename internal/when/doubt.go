package when

import (
	"fmt"
	"time"
)

// A Doubt is about words that are valid, as they are in Dapr, and mean something
// else than their author is likely to think.
type Doubt struct {
	Field  string // what to correct: due_time or ttl
	Wrong  string // what is wrong with it, and how to put it right
	Effect string // what the words mean as they are
	// Empty says that nothing of the words has a meaning, so that their effect
	// is an accident.
	Empty bool
}

// String says all of it, in ASCII and in a few hundred bytes at most.
func (d Doubt) String() string { return d.Wrong + "; as it is, " + d.Effect }

// Doubts returns what is doubtful about w, if it is valid: durations in ISO 8601
// in which a number has no unit, or one in lower case, since Dapr ignores those
// at the end, and all that is left may be nothing; and a ttl that, as of now,
// ends before the job is first due.
func (w Words) Doubts(now time.Time) []Doubt {
	var all []Doubt
	if d, ok := doubtDuration(w.DueTime, "due_time", "dueTime", "the job is due at once"); ok {
		all = append(all, d)
	}
	ttl, ok := doubtDuration(w.TTL, "ttl", "ttl", "the job ends as soon as it begins")
	if ok {
		all = append(all, ttl)
	}
	if d, never := w.never(now); never && !ttl.Empty { // which has said that the job ends
		all = append(all, d)
	}
	return all
}

const howToWrite = "units are upper-case letters behind whole numbers, as in P1D, PT5M or PT30S"

// doubtDuration returns what is doubtful about the text of a field, which the
// user has called name. empty is what it means if it says nothing.
func doubtDuration(text *string, field, name, empty string) (d Doubt, ok bool) {
	if text == nil {
		return Doubt{}, false
	}
	s, err := parseSpan(*text)
	switch {
	case err != nil:
		return Doubt{}, false
	case s.empty(*text):
		return Doubt{field, fmt.Sprintf("%s %+.64q says nothing: %s", name, *text, howToWrite), empty, true}, true
	case s.ignored != "":
		return Doubt{
			field, fmt.Sprintf("%s %+.64q ends in %+.64q, which says nothing: %s", name, *text, s.ignored, howToWrite),
			"that is ignored", false,
		}, true
	}
	return Doubt{}, false
}

// never returns a doubt if w, which is valid, ends before it begins, as of now: no
// instant is left. It is one about the ttl, since nothing else can do so.
func (w Words) never(now time.Time) (d Doubt, ok bool) {
	if w.TTL == nil {
		return Doubt{}, false
	}
	p, err := w.Resolve(now)
	if err != nil {
		return Doubt{}, false
	}
	if _, due := p.Next(0, time.Time{}); due {
		return Doubt{}, false
	}
	wrong := fmt.Sprintf("ttl %+.64q ends at %s, before the job is first due, at %s: make it longer, or leave it out",
		*w.TTL, p.Until.Format(time.RFC3339), p.First.Format(time.RFC3339))
	return Doubt{Field: "ttl", Wrong: wrong, Effect: "the job is not stored, and never runs"}, true
}
