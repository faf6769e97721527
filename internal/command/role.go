package command

import (
	"flag"

	"github.com/spf13/cobra"

	"carillon/internal/roleflag"
)

// Role completes a command that replaces a program of Dapr's and parses its flags like that program. usage is
// its help without the flags.
func Role(c *cobra.Command, usage string, flags func() *flag.FlagSet) *cobra.Command {
	c.DisableFlagParsing = true
	c.SetHelpFunc(func(c *cobra.Command, _ []string) { roleflag.PrintHelp(flags(), usage, c.OutOrStdout()) })
	c.ValidArgsFunction = func(*cobra.Command, []string, string) (all []string, _ cobra.ShellCompDirective) {
		for _, name := range roleflag.Names(flags()) {
			all = append(all, "--"+name)
		}
		return all, cobra.ShellCompDirectiveDefault
	}
	return c
}
