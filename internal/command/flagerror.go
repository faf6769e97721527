package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"carillon/internal/exit"
	"carillon/internal/suggest"
)

// flagError returns the error for a command line whose flags could not be parsed.
func flagError(c *cobra.Command, err error) error {
	help := fmt.Sprintf("'%s --help' lists the flags", c.CommandPath())
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		hint := ""
		if near, ok := suggest.Nearest(e.GetSpecifiedName(), flagNames(c)); ok && e.GetSpecifiedShortnames() == "" {
			hint = fmt.Sprintf(" (did you mean --%s?)", near)
		}
		dashes := "--"
		if e.GetSpecifiedShortnames() != "" {
			dashes = "-"
		}
		return exit.Usagef("flag provided but not defined: %s%s%s; %s", dashes, e.GetSpecifiedName(), hint, help)
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return exit.Usagef("flag needs an argument: --%s; %s", e.GetFlag().Name, help)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return exit.Usagef("invalid value %q for flag --%s: %s; %s", e.GetValue(), e.GetFlag().Name, why(e.GetFlag(), e.Unwrap()), help)
	}
	return exit.Usagef("%v; %s", err, help)
}

// why returns what is wrong with the value of a flag that refused it with cause.
func why(f *pflag.Flag, cause error) string {
	switch f.Value.Type() {
	case "duration":
		return "it must be a duration with a unit, such as 5s or 1m30s"
	case "bool":
		return "it must be true or false"
	case "int", "int32", "int64", "uint", "uint32", "uint64":
		return "it must be a whole number, such as 5"
	case "float64":
		return "it must be a number, such as 0.5"
	default:
		return cause.Error()
	}
}

// flagNames returns the names of the flags of c that help shows.
func flagNames(c *cobra.Command) (names []string) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// checkDashes refuses a long flag of c with a single dash, which pflag would take for several short flags.
func checkDashes(c *cobra.Command, args []string) error {
	c.InitDefaultHelpFlag()
	c.InheritedFlags() // merges the flags of parents into c.Flags
	for _, arg := range args {
		name, isFlag := strings.CutPrefix(arg, "-")
		if arg == "--" {
			return nil
		}
		name, value, hasValue := strings.Cut(name, "=")
		if !isFlag || len(name) < 2 || strings.HasPrefix(name, "-") || c.Flags().Lookup(name) == nil {
			continue
		}
		if hasValue {
			value = "=" + value
		}
		return exit.Usagef("%s: a long flag has two dashes: write --%s%s", arg, name, value)
	}
	return nil
}
