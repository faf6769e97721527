package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A list is the value of a flag that may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

// Set adds the parts of value, which commas separate.
func (l *list) Set(value string) error {
	*l = append(*l, strings.Split(value, ",")...)
	return nil
}

// A csvList is the value of a flag that may be given more than once, each time with a line of CSV.
type csvList struct {
	fields []string
	given  bool // at all, and be it without a field
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
		return errors.New("it is not a list with commas, in which a quoted part is quoted as a whole")
	}
	l.fields = append(l.fields, fields...)
	return nil
}

// An action is the value of a flag that asks for something else than to run. No environment variable can stand for it.
type action bool

func (a *action) String() string { return strconv.FormatBool(bool(*a)) }

// Set sets a to what value means.
func (a *action) Set(value string) error {
	on, err := strconv.ParseBool(value)
	*a = action(on)
	return err
}

// IsBoolFlag lets the flag stand alone.
func (*action) IsBoolFlag() bool { return true }

// A port is the value of a flag that names a TCP port.
type port int

// portVar adds a flag that sets p.
func portVar(fs *flag.FlagSet, p *int, name string, value int, usage string) {
	*p = value
	fs.Var((*port)(p), name, usage)
}

func (p *port) String() string { return strconv.Itoa(int(*p)) }

// Set sets p to the port that value names.
func (p *port) Set(value string) error {
	n, err := parsePort(value)
	if err == nil {
		*p = port(n)
	}
	return err
}

// parsePort returns the number of a port.
func parsePort(value string) (int, error) {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return 0, errors.New("a port is a number from 0 to 65535")
	}
	return int(n), nil
}

// A choice is the value of a flag that takes one of a few words.
type choice struct {
	value *string
	words []string
}

// choiceVar adds a flag that sets p to one of words, of which the first is the default.
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
		return fmt.Errorf("it is %s", strings.Join(c.words, " or "))
	}
	*c.value = value
	return nil
}

// A quantity is a number the way that Kubernetes writes it, such as 16Mi.
type quantity string

func (q *quantity) String() string { return string(*q) }

// Set sets q to value, if that is a quantity.
func (q *quantity) Set(value string) error {
	if _, _, err := cutUnit(value); err != nil {
		return err
	}
	*q = quantity(value)
	return nil
}

// cutUnit cuts the unit, or the exponent, off a quantity.
func cutUnit(value string) (number, unit string, err error) {
	const form = `^([+-]?(?:\d+\.?\d*|\.\d+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$`
	m := regexp.MustCompile(form).FindStringSubmatch(value)
	if m == nil {
		return "", "", errors.New("it is a number and a unit, such as 9.2E or 16Mi")
	}
	return m[1], m[2], nil
}

// bytesOf returns the number of bytes that a quantity names, which is at least one and at most 1 TiB.
func bytesOf(value string) (int64, error) {
	n, err := sizeOf(value)
	switch {
	case err != nil:
		return 0, err
	case n > 1<<40:
		return 0, errors.New("a size is at least 1 byte and at most 1Ti")
	}
	return int64(n), nil
}

// sizeOf returns the number of bytes that a quantity names, which is at least one.
func sizeOf(value string) (float64, error) {
	number, unit, err := cutUnit(value)
	if err != nil {
		return 0, errors.New("a size is a number and a unit, such as 4Mi or 500k")
	}
	if strings.HasPrefix(strings.ToLower(unit), "e") && unit != "E" && unit != "Ei" { // an exponent
		number, unit = number+unit, ""
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil { // beyond all numbers
		n = math.Inf(1)
	}
	n *= map[string]float64{
		"": 1, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
		"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60,
	}[unit]
	if n = math.Ceil(n); n < 1 {
		return 0, errors.New("a size is at least 1 byte and at most 1Ti")
	}
	return n, nil
}
