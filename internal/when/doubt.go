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

// Never returns a doubt if w, which is valid, ends before it begins, as of now: no
// instant is left. It is one about the ttl, since nothing else can do so.
func (w Words) Never(now time.Time) (d Doubt, ok bool) {
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

// String says all of it, in ASCII and in a few hundred bytes at most.
func (d Doubt) String() string { return d.Wrong + "; as it is, " + d.Effect }

// Doubts returns what is doubtful about w, if it is valid: durations in ISO 8601
// in which a number has no unit, or one in lower case. Dapr ignores those at the
// end, and all that is left may be nothing.
func (w Words) Doubts() []Doubt {
	var all []Doubt
	add := func(text *string, field, name, empty string) {
		if text == nil {
			return
		}
		d, err := parseSpan(*text)
		switch {
		case err != nil:
		case d.empty(*text):
			all = append(all, Doubt{field, fmt.Sprintf("%s %+.64q says nothing: %s", name, *text, howToWrite), empty, true})
		case d.ignored != "":
			all = append(all, Doubt{
				field, fmt.Sprintf("%s %+.64q ends in %+.64q, which says nothing: %s", name, *text, d.ignored, howToWrite),
				"that is ignored", false,
			})
		}
	}
	add(w.DueTime, "due_time", "due time", "the job is due at once")
	add(w.TTL, "ttl", "ttl", "the job ends as soon as it begins")
	return all
}

const howToWrite = "units are upper-case letters behind whole numbers, as in P1D, PT5M or PT30S"
