package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// parseFlags sets fs from args, and flags that are not in args from their environment variables. args must be
// flags only. usage is printed above the flags for --help, and alone when args are wrong.
func parseFlags(fs *flag.FlagSet, usage string, args []string, std stdio) error {
	fs.SetOutput(io.Discard) // run prints the error
	fs.Usage = func() {}
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(std.Out, usage, "\nFlags:\n")
		printFlags(fs, std)
		return err
	case err != nil:
		fmt.Fprintln(std.Err, usage)
		text := strings.NewReplacer("flag -", "flag --", "defined: -", "defined: --", "argument: -", "argument: --", " for -", " for --").Replace(err.Error())
		if m := malformed.FindStringSubmatch(text); m != nil {
			text = m[1] + formOf(fs.Lookup(m[2]))
		}
		return usagef("%s%s; 'carillon %s --help' lists the flags", text, suggestFlag(fs, text), fs.Name())
	case fs.NArg() > 0:
		fmt.Fprintln(std.Err, usage)
		hint := "remove it"
		if fs.Name() == "dev" {
			hint = "put the command of the app after --, as in carillon dev -- " + fs.Arg(0)
		}
		return usagef("%s: unexpected argument %q: %s", fs.Name(), fs.Arg(0), hint)
	}
	return fromEnvironment(fs, std)
}

// parseError is the text of package flag for a value that it cannot parse.
const parseError = "parse error"

// malformed matches a whole error with that text, and the name of its flag.
var malformed = regexp.MustCompile(`(?s)^(.* for (?:flag )?--([\w-]+): )` + parseError + `$`)

// formOf describes the form of the value of a flag with a type of package flag.
func formOf(f *flag.Flag) string {
	if g, ok := f.Value.(flag.Getter); ok {
		switch g.Get().(type) {
		case time.Duration:
			return "it must be a duration with a unit, such as 5s or 1m30s"
		case bool:
			return "it must be true or false"
		case int, int64, uint, uint64:
			return "it must be a whole number, such as 5"
		case float64:
			return "it must be a number, such as 0.5"
		}
	}
	return parseError
}

// suggestFlag returns a hint at the flag that an unknown flag in text, an error of package flag, may mean.
func suggestFlag(fs *flag.FlagSet, text string) string {
	_, name, unknown := strings.Cut(text, "not defined: --")
	if !unknown {
		return ""
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) {
		if f.Usage != hidden {
			names = append(names, f.Name)
		}
	})
	if near, ok := nearest(name, names); ok {
		return fmt.Sprintf(" (did you mean --%s?)", near)
	}
	return ""
}

// cutCommand splits args into the flags and the command after "--".
func cutCommand(args []string) (flags, command []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}

// fromEnvironment sets the flags that the command line left out.
func fromEnvironment(fs *flag.FlagSet, std stdio) error {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	fs.VisitAll(func(f *flag.Flag) {
		if _, ok := f.Value.(*action); ok {
			return
		}
		name := "CARILLON_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := std.Env(name)
		if strings.HasPrefix(value, "tcp://") {
			ok = false // what Kubernetes sets for a service that is called carillon
		}
		if ok && !given[f.Name] && err == nil {
			if bad := fs.Set(f.Name, value); bad != nil {
				why := bad.Error()
				if why == parseError {
					why = formOf(f)
				}
				err = usagef("invalid value %q for environment variable %s: %s", value, name, why)
			}
		}
	})
	return err
}

// printFlags lists the flags with two dashes.
func printFlags(fs *flag.FlagSet, std stdio) {
	fs.VisitAll(func(f *flag.Flag) {
		if f.Usage == hidden {
			return
		}
		kind, text := flag.UnquoteUsage(f)
		line := "  --" + f.Name
		if kind != "" {
			line += " " + kind
		}
		if !slices.Contains([]string{"", "false", "0", "0s"}, f.DefValue) {
			text += " (default " + f.DefValue + ")"
		}
		if len(line) > 30 {
			line += "\n" + strings.Repeat(" ", 30)
		}
		fmt.Fprintf(std.Out, "%-30s %s\n", line, text)
	})
}

const inert = "accepted for compatibility; no effect"

// hidden is the help of a deprecated flag. Neither help nor completion shows it.
const hidden = ""
