package explain

import (
	"fmt"
	"time"

	"carillon/internal/when"
)

// frequencyWarnings returns a warning about an interval shorter than a second.
func frequencyWarnings(p when.Plan) []Warning {
	every, ok := p.Rule.Interval()
	switch {
	case !ok || every >= time.Second || p.Repeats == 1:
		return nil
	case every == 0:
		return []Warning{{OverOnceASecond, "the interval is zero: all occurrences are due at one instant"}}
	}
	return []Warning{{OverOnceASecond, fmt.Sprintf("every %s is more often than once a second", durationWords(every))}}
}
