package roleflag

import (
	"flag"
	"regexp"
	"time"
)

// Usages of flags with a special meaning.
const (
	// Inert is the usage of a flag that is parsed and not used.
	Inert = "accepted for compatibility; no effect"
	// Hidden is the usage of a deprecated flag. Neither help nor completion shows it.
	Hidden = ""
)

// parseError is the text of package flag for a value that it cannot parse.
const parseError = "parse error"

// malformed matches a whole error with that text, and the name of its flag.
var malformed = regexp.MustCompile(`(?s)^(.* for (?:flag )?--([\w-]+): )` + parseError + `$`)

// formOf describes the form of the value of a flag with a type of package flag.
func formOf(f *flag.Flag) string {
	if g, ok := f.Value.(flag.Getter); ok {
		switch g.Get().(type) {
		case time.Duration:
			return "it must be a duration with a unit, such as 5s or 1m30s"
		case bool:
			return "it must be true or false"
		case int, int64, uint, uint64:
			return "it must be a whole number, such as 5"
		case float64:
			return "it must be a number, such as 0.5"
		}
	}
	return parseError
}
