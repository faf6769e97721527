package command

import (
	"strings"

	"github.com/spf13/cobra"

	"carillon/internal/exit"
)

// Args returns a check that a command has exactly these arguments.
func Args(wanted ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) > len(wanted):
			return exit.Usagef("%s: unexpected argument %q: remove it", path(c), args[len(wanted)])
		case len(args) < len(wanted):
			return exit.Usagef("%s: give %s; see '%s --help'", path(c), strings.Join(wanted[len(args):], " and "), c.CommandPath())
		}
		return nil
	}
}

// path returns the name of c after the name of the program.
func path(c *cobra.Command) string { return strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ") }
