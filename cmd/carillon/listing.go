package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
)

// A listing is how a command shows what it has found, one T after the other.
type listing[T any] struct {
	form string // as --o has it

	head string         // of the table: its columns, with tabs between them
	row  func(T) string // of the table, likewise
	yaml func(T) string // an element of a list, with the end of its last line
}

// flag has the user choose the form.
func (l *listing[T]) flag(fs *flag.FlagSet) {
	choiceVar(fs, &l.form, "o", "what to print: table, json or yaml", "table", "json", "yaml")
}

// print writes all in the form that was asked for.
func (l *listing[T]) print(all []T, out io.Writer) error {
	switch l.form {
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
