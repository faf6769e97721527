package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// list is the value of a flag that may be repeated.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

// Set adds the comma-separated parts of value.
func (l *list) Set(value string) error {
	*l = append(*l, strings.Split(value, ",")...)
	return nil
}

// csvList is the value of a flag that may be repeated, each time with a line of CSV.
type csvList struct {
	fields []string
	given  bool // even without a field
}

func (l *csvList) String() string { return strings.Join(l.fields, ",") }

// Set adds the fields of value.
func (l *csvList) Set(value string) error {
	l.given = true
	if value == "" {
		return nil
	}
	fields, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return errors.New("it is not a comma-separated list, or has a part that is not quoted as a whole")
	}
	l.fields = append(l.fields, fields...)
	return nil
}

// action is the value of a flag that selects something else than running. It cannot be set by an
// environment variable.
type action bool

func (a *action) String() string { return strconv.FormatBool(bool(*a)) }

// Set sets a to what value means.
func (a *action) Set(value string) error {
	on, err := strconv.ParseBool(value)
	*a = action(on)
	return err
}

// IsBoolFlag allows the flag without a value.
func (*action) IsBoolFlag() bool { return true }

// port is the value of a flag with a TCP port.
type port int

// portVar adds a flag that sets p.
func portVar(fs *flag.FlagSet, p *int, name string, value int, usage string) {
	*p = value
	fs.Var((*port)(p), name, usage)
}

func (p *port) String() string { return strconv.Itoa(int(*p)) }

// Set parses value.
func (p *port) Set(value string) error {
	n, err := parsePort(value)
	if err == nil {
		*p = port(n)
	}
	return err
}

// parsePort parses a port number.
func parsePort(value string) (int, error) {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return 0, errors.New("a port must be a number from 0 to 65535")
	}
	return int(n), nil
}

// choice is the value of a flag that takes one of a few words.
type choice struct {
	value *string
	words []string
}

// choiceVar adds a flag that sets p to one of words. The first is the default.
func choiceVar(fs *flag.FlagSet, p *string, name, usage string, words ...string) {
	*p = words[0]
	fs.Var(&choice{p, words}, name, usage)
}

func (c *choice) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

// Set sets c to value, if that is one of its words.
func (c *choice) Set(value string) error {
	if !slices.Contains(c.words, value) {
		return fmt.Errorf("it must be %s", strings.Join(c.words, " or "))
	}
	*c.value = value
	return nil
}
