package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"
)

// parse sets fs from args, and each flag that args leave out from its environment variable, if that is set. It returns
// what follows a "--"; before it, nothing but flags may stand. usage is shown above the flags when help is asked for.
func parse(fs *flag.FlagSet, usage string, args []string, std stdio) (rest []string, err error) {
	for i, a := range args {
		if a == "--" {
			args, rest = args[:i], args[i+1:]
			break
		}
	}
	fs.SetOutput(&strings.Builder{}) // errors are told once, by run
	fs.Usage = func() {}
	err = fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(std.Out, usage, "\nFlags:\n")
		printFlags(fs, std)
		return nil, err
	case err != nil:
		text := strings.NewReplacer("flag -", "flag --", "defined: -", "defined: --").Replace(err.Error())
		return nil, usagef("%s; 'carillon %s --help' lists the flags", text, fs.Name())
	case fs.NArg() > 0:
		return nil, usagef("%s: unexpected argument %q; a command to run comes after --", fs.Name(), fs.Arg(0))
	}
	return rest, fromEnvironment(fs, std)
}

// fromEnvironment sets the flags that the command line left out.
func fromEnvironment(fs *flag.FlagSet, std stdio) error {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	fs.VisitAll(func(f *flag.Flag) {
		name := "CARILLON_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := std.Env(name); ok && !given[f.Name] && err == nil {
			if bad := fs.Set(f.Name, value); bad != nil {
				err = usagef("invalid value %q for environment variable %s: %v", value, name, bad)
			}
		}
	})
	return err
}

// printFlags lists flags the way that they are written here, with two dashes.
func printFlags(fs *flag.FlagSet, std stdio) {
	fs.VisitAll(func(f *flag.Flag) {
		kind, text := flag.UnquoteUsage(f)
		line := "  --" + f.Name
		if kind != "" {
			line += " " + kind
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(std.Out, "%-30s %s\n", line, text)
	})
}

// A list is the value of a flag that may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

// Set adds the parts of value, which commas separate.
func (l *list) Set(value string) error {
	*l = append(*l, strings.Split(value, ",")...)
	return nil
}
