package explain

import (
	"fmt"
	"strconv"
	"strings"
)

// maxTerms is how many terms a list in words has at most.
const maxTerms = 6

// minRun is how many values at one distance are worth an abbreviation.
const minRun = 4

// list joins terms with commas and an "and".
func list(terms []string) string {
	if len(terms) < 2 {
		return strings.Join(terms, "")
	}
	last := len(terms) - 1
	return strings.Join(terms[:last], ", ") + " and " + terms[last]
}

// selection returns the values of a field in words, such as "every hour", "every hour from 8 to 17",
// "every 2nd hour from 0 to 22" or "hour 8, 10 and 12". size is how many values the field can have.
// ok is false if they are too many.
func selection(unit string, values []int, size int) (text string, ok bool) {
	first, last := values[0], values[len(values)-1]
	switch {
	case len(values) == size:
		return "every " + unit, true
	case len(values) >= 3 && evenly(values, 1):
		return fmt.Sprintf("every %s from %d to %d", unit, first, last), true
	case len(values) >= minRun && evenly(values, values[1]-first):
		return fmt.Sprintf("every %s %s from %d to %d", ordinal(values[1]-first), unit, first, last), true
	}
	text, ok = terms(values, strconv.Itoa)
	return unit + " " + text, ok
}

// terms returns ascending values in words, such as "1 to 5, 8 and 10". name names one value. ok is
// false if there are more than [maxTerms].
func terms(values []int, name func(int) string) (text string, ok bool) {
	var all []string
	for _, r := range runs(values) {
		term := name(r[0])
		if len(r) > 1 {
			term += " to " + name(r[len(r)-1])
		}
		all = append(all, term)
	}
	return list(all), len(all) <= maxTerms
}

// runs splits ascending values into runs of three or more without a gap, and single values.
func runs(values []int) (all [][]int) {
	for len(values) > 0 {
		n := 1
		for n < len(values) && values[n] == values[n-1]+1 {
			n++
		}
		if n < 3 {
			n = 1
		}
		all, values = append(all, values[:n]), values[n:]
	}
	return all
}

// evenly reports whether values are at that distance from one another.
func evenly(values []int, step int) bool {
	for i := 1; i < len(values); i++ {
		if values[i]-values[i-1] != step {
			return false
		}
	}
	return true
}

// ordinal returns a number from 2 on as an English ordinal.
func ordinal(n int) string {
	ending := "th"
	if n/10 != 1 {
		switch n % 10 {
		case 1:
			ending = "st"
		case 2:
			ending = "nd"
		case 3:
			ending = "rd"
		}
	}
	return strconv.Itoa(n) + ending
}
