package main

import (
	"errors"
	"flag"
	"fmt"
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
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return errors.New("ports are 0 to 65535")
	}
	*p = port(n)
	return nil
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
	const form = `^[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$`
	if ok, err := regexp.MatchString(form, value); !ok || err != nil {
		return errors.New("it is a number and a unit, such as 9.2E or 16Mi")
	}
	*q = quantity(value)
	return nil
}
