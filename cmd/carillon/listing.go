package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
)

// listing prints a list of T as a table, JSON or YAML.
type listing[T any] struct {
	format string // the value of --o

	head string         // the header of the table, with tabs between columns
	row  func(T) string // a row of the table, likewise
	yaml func(T) string // an element of a YAML list, with its final newline
}

// flag adds the flag --o.
func (l *listing[T]) flag(fs *flag.FlagSet) {
	choiceVar(fs, &l.format, "o", "output format: table, json or yaml", "table", "json", "yaml")
}

// print writes all in the chosen format.
func (l *listing[T]) print(all []T, out io.Writer) error {
	switch l.format {
	case "json":
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(all)
	case "yaml":
		for _, one := range all {
			fmt.Fprint(out, l.yaml(one))
		}
		return nil
	default:
		t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, l.head)
		for _, one := range all {
			fmt.Fprintln(t, l.row(one))
		}
		return t.Flush()
	}
}
