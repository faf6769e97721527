// Package flagvalue has the values of flags that are no plain text, number or duration. They serve the
// standard flag package, which parses the flags of Dapr's programs, and pflag, which parses all others.
package flagvalue

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
)

// Strings is the value of a flag that may be repeated.
type Strings []string

func (l *Strings) String() string { return strings.Join(*l, ",") }

// Set adds the comma-separated parts of value.
func (l *Strings) Set(value string) error {
	*l = append(*l, strings.Split(value, ",")...)
	return nil
}

// Type is the placeholder of the value in help.
func (*Strings) Type() string { return "value" }

// CSV is the value of a flag that may be repeated, each time with a line of CSV.
type CSV struct {
	Fields []string
	Given  bool // even without a field
}

func (l *CSV) String() string { return strings.Join(l.Fields, ",") }

// Set adds the fields of value.
func (l *CSV) Set(value string) error {
	l.Given = true
	if value == "" {
		return nil
	}
	fields, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return errors.New("it is not a comma-separated list, or has a part that is not quoted as a whole")
	}
	l.Fields = append(l.Fields, fields...)
	return nil
}
