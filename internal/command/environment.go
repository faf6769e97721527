package command

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"carillon/internal/exit"
	"carillon/internal/flagvalue"
	"carillon/internal/terminal"
)

// fromEnvironment sets the flags that the command line left out.
func fromEnvironment(c *cobra.Command, s *terminal.Streams) error {
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
