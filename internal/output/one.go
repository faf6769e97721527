package output

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"carillon/internal/flagvalue"
	"carillon/internal/terminal"
)

// Text is the format of one thing for people. The others are [JSON] and [YAML].
const Text = "text"

// AddOneFlag adds the flag --output to c, a command that prints one thing. It sets format.
func AddOneFlag(c *cobra.Command, format *string) {
	words := []string{Text, string(JSON), string(YAML)}
	c.Flags().VarP(flagvalue.NewChoice(format, words...), "output", "o", "output `format`: text, json or yaml")
	if err := c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag exists, and has no other completion
	}
}

// Detail is a line of the text about one thing. One without a value is not printed.
type Detail struct {
	Label string
	Value any // a string, a bool, a number or a time.Time
}

// PrintOne writes one thing in a format: the lines as text, or an object.
func PrintOne(s *terminal.Streams, format string, one any, lines []Detail) error {
	if format == Text {
		return printLines(s, lines)
	}
	marshal := marshalJSON
	if format == string(YAML) {
		marshal = marshalYAML
	}
	text, err := marshal(one)
	if err != nil {
		return err
	}
	_, err = s.Out.Write(text)
	return err
}

// printLines writes the lines with aligned values.
func printLines(s *terminal.Streams, lines []Detail) error {
	width := 0
	for _, l := range lines {
		width = max(width, utf8.RuneCountInString(l.Label))
	}
	var b strings.Builder
	for _, l := range lines {
		text := textOf(l.Value, func(t time.Time) string { return Time(s, t) })
		if text != "" {
			fmt.Fprintf(&b, "%-*s %s\n", width+1, l.Label+":", printable(text))
		}
	}
	_, err := s.Out.Write([]byte(b.String()))
	return err
}

// Time returns a time for a text, in the zone of the user. On a terminal it has the distance from now.
func Time(s *terminal.Streams, t time.Time) string {
	text := inZone(s.Zone)(t)
	if s.Terminal {
		text += " (" + relativeTo(s.Now())(t) + ")"
	}
	return text
}
