// Package roleflag parses the command lines of the two roles that replace Dapr's programs, as those programs
// do: by the standard flag package, with one dash or two. Flags that are not given are read from environment
// variables.
package roleflag

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"carillon/internal/exit"
	"carillon/internal/suggest"
	"carillon/internal/terminal"
)

// Parse sets fs from args, and flags that are not in args from their environment variables. args must be
// flags only. usage is printed above the flags for --help, and alone when args are wrong.
func Parse(fs *flag.FlagSet, usage string, args []string, s *terminal.Streams) error {
	fs.SetOutput(io.Discard) // the caller prints the error
	fs.Usage = func() {}
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		PrintHelp(fs, usage, s.Out)
		return err
	case err != nil:
		fmt.Fprintln(s.Err, usage)
		text := strings.NewReplacer("flag -", "flag --", "defined: -", "defined: --", "argument: -", "argument: --", " for -", " for --").Replace(err.Error())
		if m := malformed.FindStringSubmatch(text); m != nil {
			text = m[1] + formOf(fs.Lookup(m[2]))
		}
		return exit.Usagef("%s%s; 'carillon %s --help' lists the flags", text, suggestFlag(fs, text), fs.Name())
	case fs.NArg() > 0:
		fmt.Fprintln(s.Err, usage)
		return exit.Usagef("%s: unexpected argument %q: remove it", fs.Name(), fs.Arg(0))
	}
	return fromEnvironment(fs, s)
}

// suggestFlag returns a hint at the flag that an unknown flag in text, an error of package flag, may mean.
func suggestFlag(fs *flag.FlagSet, text string) string {
	_, name, unknown := strings.Cut(text, "not defined: --")
	if !unknown {
		return ""
	}
	if near, ok := suggest.Nearest(name, Names(fs)); ok {
		return fmt.Sprintf(" (did you mean --%s?)", near)
	}
	return ""
}

// Names returns the names of the flags that are not hidden.
func Names(fs *flag.FlagSet) (names []string) {
	fs.VisitAll(func(f *flag.Flag) {
		if f.Usage != Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}
