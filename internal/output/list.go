package output

import (
	"encoding/csv"
	"fmt"

	"carillon/internal/terminal"
)

// List says how a list of T is printed.
type List[T any] struct {
	Columns []Column[T]
	Name    func(T) string // of an element, for the format name
	None    string         // what a terminal shows for a list without elements, such as "no jobs"
}

// Column is a column of a table.
type Column[T any] struct {
	Header string
	Value  func(T) any // a string, a bool, a number, a time.Time, or a slice of strings
	Wide   bool        // only in the formats wide and csv
}

// Print writes all in the format.
func (l *List[T]) Print(s *terminal.Streams, f Format, all []T) error {
	switch f {
	case JSON, YAML:
		list, err := elements(all)
		if err != nil {
			return err
		}
		return PrintOne(s, string(f), list, nil)
	case CSV:
		return l.printCSV(s, all)
	case Name:
		for _, one := range all {
			if _, err := fmt.Fprintln(s.Out, printable(l.Name(one))); err != nil {
				return err
			}
		}
		return nil
	default:
		return l.printTable(s, f, all)
	}
}

// printCSV writes all columns with a header.
func (l *List[T]) printCSV(s *terminal.Streams, all []T) error {
	out := csv.NewWriter(s.Out)
	var row []string
	for _, c := range l.Columns {
		row = append(row, c.Header)
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for _, one := range all {
		row = row[:0]
		for _, c := range l.Columns {
			row = append(row, textOf(c.Value(one), inUTC))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// printTable writes a table.
func (l *List[T]) printTable(s *terminal.Streams, f Format, all []T) error {
	if len(all) == 0 && s.Terminal {
		_, err := fmt.Fprintf(s.Err, "%s\n", l.None)
		return err
	}
	times := inZone(s.Zone)
	switch {
	case f == Wide:
		times = inUTC
	case s.Terminal:
		times = relativeTo(s.Now())
	}
	t := table{alignRight: make([]bool, 0, len(l.Columns))}
	for _, c := range l.Columns {
		if !c.Wide || f == Wide {
			t.header = append(t.header, c.Header)
		}
	}
	for _, one := range all {
		var row []string
		for _, c := range l.Columns {
			if c.Wide && f != Wide {
				continue
			}
			value := c.Value(one)
			if len(t.rows) == 0 {
				t.alignRight = append(t.alignRight, isNumber(value))
			}
			row = append(row, printable(textOf(value, times)))
		}
		t.rows = append(t.rows, row)
	}
	if !s.Terminal {
		return t.printTabs(s.Out)
	}
	width := s.Width
	if f == Wide {
		width = 0
	}
	return t.printColumns(s.Out, width, s.Color)
}
