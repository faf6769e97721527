package output

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"carillon/internal/terminal"
)

// textOf returns the text of the value of a column. times formats a time that is not zero.
func textOf(value any, times func(time.Time) string) string {
	switch v := value.(type) {
	case string:
		return v
	case []string:
		return strings.Join(v, ",")
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return times(v)
	default:
		return fmt.Sprint(v)
	}
}

// isNumber reports whether the value of a column is a number.
func isNumber(value any) bool {
	switch value.(type) {
	case int, int32, int64, uint32, uint64, float64:
		return true
	default:
		return false
	}
}

// printable replaces runes that a terminal would not print, such as those of control sequences and
// tabs, by escapes.
func printable(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// PrintText writes lines of text, with what a terminal would not print in escapes.
func PrintText(s *terminal.Streams, lines ...string) error {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(printable(line) + "\n")
	}
	_, err := io.WriteString(s.Out, b.String())
	return err
}
