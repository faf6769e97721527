package when

import (
	"fmt"
	"regexp"
	"strings"
)

// help says what the field at this index accepts in place of text.
func (f field) help(index int, text string) string {
	takes := fmt.Sprintf("numbers from %d to %d", f.least, f.most)
	if f.names != "" {
		takes += fmt.Sprintf(" or %s to %s", strings.ToUpper(f.names[:3]), strings.ToUpper(f.names[len(f.names)-3:]))
	}
	help := fmt.Sprintf("field %d, the %s, is %s, and takes *, %s, lists as in 1,2, ranges as in 1-5, and steps as in */2", index+1, f.name, quote(text), takes)
	switch {
	case f.reversed(text) != "":
		help += "; a range goes upwards: write " + f.reversed(text) + " in its place"
	case f.names != "" && f.least == 0 && text != sundays(text):
		help += "; Sunday is 0 or SUN"
	case special.MatchString(text):
		help += "; L, W and # are not supported"
	case f.names != "":
		near := longName.ReplaceAllStringFunc(text, func(name string) string { return strings.ToUpper(name[:3]) })
		if _, _, err := f.parse(near); err == nil {
			help += "; a name has three letters: write " + near
		}
	}
	return help
}

var longName = regexp.MustCompile(`[A-Za-z]{4,}`)

// reversed returns two ranges for the first descending range in a list; empty if there is none.
func (f field) reversed(list string) string {
	for item := range strings.SplitSeq(list, ",") {
		low, high, ranged := strings.Cut(item, "-")
		from, err := f.value(low)
		to, errTo := f.value(high)
		if ranged && err == nil && errTo == nil && f.least <= to && to < from && from <= f.most {
			return fmt.Sprintf("%d-%d,%d-%d", from, f.most, f.least, to)
		}
	}
	return ""
}

var special = regexp.MustCompile(`^(\d*[LW]|LW|\w+#\d)$`)
