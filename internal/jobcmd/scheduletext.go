package jobcmd

import (
	"fmt"
	"strings"
	"time"

	pb "carillon/internal/managementv1"
	"carillon/internal/output"
	"carillon/internal/terminal"
)

// scheduleFormats returns the formats of an explanation of a schedule.
func scheduleFormats() []output.Format {
	return []output.Format{output.Table, output.Wide, output.JSON, output.YAML, output.CSV}
}

// printSchedule writes what a schedule means: in words, its occurrences, and what may surprise its
// author. CSV has the occurrences alone.
func printSchedule(s *terminal.Streams, f output.Format, e *pb.ScheduleExplanation) error {
	list := output.List[*pb.Occurrence]{Columns: occurrenceColumns(s, f), None: "no occurrence is left"}
	if f == output.JSON || f == output.YAML {
		return output.PrintOne(s, string(f), e, nil)
	}
	if f == output.CSV {
		return list.Print(s, f, e.GetOccurrences())
	}
	if err := output.PrintText(s, e.GetWords(), ""); err != nil {
		return err
	}
	if err := list.Print(s, f, e.GetOccurrences()); err != nil {
		return err
	}
	if lines := remarks(s, f, e); len(lines) > 0 {
		return output.PrintText(s, append([]string{""}, lines...)...)
	}
	return nil
}

// occurrenceColumns returns the columns of a table of occurrences.
func occurrenceColumns(s *terminal.Streams, f output.Format) []output.Column[*pb.Occurrence] {
	instant := func(o *pb.Occurrence) time.Time { return timeOf(o.GetOccurrenceTime()) }
	all := []output.Column[*pb.Occurrence]{
		{Header: "OCCURRENCE", Value: func(o *pb.Occurrence) any { return output.Absolute(s, f, instant(o)) }},
	}
	if s.Terminal && f == output.Table {
		all = append(all, output.Column[*pb.Occurrence]{Header: "FROM NOW", Value: func(o *pb.Occurrence) any { return instant(o) }})
	}
	return append(
		all,
		output.Column[*pb.Occurrence]{Header: "LOCAL TIME", Value: func(o *pb.Occurrence) any { return localTime(o, f) }},
		output.Column[*pb.Occurrence]{Header: "CLOCK", Value: func(o *pb.Occurrence) any { return clockCodes(o) }},
		output.Column[*pb.Occurrence]{Header: "NOTE", Value: func(o *pb.Occurrence) any { return clockSentences(o) }, Wide: true},
	)
}

// localTime returns an occurrence on the clock of the schedule; in a table without fractions of a
// second.
func localTime(o *pb.Occurrence, f output.Format) string {
	if t, err := time.Parse(time.RFC3339Nano, o.GetLocalTime()); err == nil && f == output.Table {
		return t.Format(time.RFC3339)
	}
	return o.GetLocalTime()
}

// clockCodes returns how clock changes affect an occurrence, in a word each.
func clockCodes(o *pb.Occurrence) (codes []string) {
	for _, n := range o.GetNotes() {
		codes = append(codes, n.GetCode())
	}
	return codes
}

// clockSentences returns how clock changes affect an occurrence, in a sentence each.
func clockSentences(o *pb.Occurrence) string {
	var all []string
	for _, n := range o.GetNotes() {
		all = append(all, n.GetMessage())
	}
	return strings.Join(all, "; ")
}

// remarks returns what follows a table of occurrences. The format wide has the sentences about
// clock changes in the table.
func remarks(s *terminal.Streams, f output.Format, e *pb.ScheduleExplanation) (lines []string) {
	for _, o := range e.GetOccurrences() {
		if text := clockSentences(o); text != "" && f == output.Table {
			lines = append(lines, output.Absolute(s, f, timeOf(o.GetOccurrenceTime()))+": "+text)
		}
	}
	for _, w := range e.GetWarnings() {
		lines = append(lines, fmt.Sprintf("warning: %s (%s)", w.GetMessage(), w.GetCode()))
	}
	return lines
}
