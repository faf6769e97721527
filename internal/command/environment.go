package command

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"carillon/internal/exit"
	"carillon/internal/flagvalue"
	"carillon/internal/terminal"
)

// FromEnvironment sets the flags of c that the command line left out. A command that runs has them set; one that
// completes its arguments calls it.
func FromEnvironment(c *cobra.Command, s *terminal.Streams) error {
	if c.DisableFlagParsing {
		return nil
	}
	var err error
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || f.Name == "version" || err != nil {
			return
		}
		name, value, ok := flagvalue.FromEnvironment(f.Name, s.Env)
		if !ok {
			return
		}
		if bad := f.Value.Set(value); bad != nil {
			err = exit.Usagef("invalid value %q for environment variable %s: %s", value, name, why(f, bad))
			return
		}
		f.Changed = true
	})
	return err
}
