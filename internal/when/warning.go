package when

import "fmt"

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
